"""The three networks: what their layers compute, shapes, counts and receptive fields."""

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.models.discriminator import build_discriminator
from gsr_tf.models.generator import build_generator
from gsr_tf.models.keras import keras
from gsr_tf.models.networks import Networks
from gsr_tf.models.segmenter import build_segmenter, manipulation_probability
from gsr_tf.models.weights import named_variables
from tests.models import plain_networks
from tests.models.drawn_weights import give_weights

FC = ("fc6", "fc7")  # the two layers before the head, which dropout follows


@pytest.mark.parametrize(
    "network, parameters",
    [
        (lambda: build_segmenter(Networks()), 20_496_200),
        (lambda: build_segmenter(Networks(head_kernel=4)), 20_553_920),
        (build_generator, 54_405_120),
        (build_discriminator, 2_764_800),
    ],
)
def test_parameters_of_the_paper_and_the_release(network, parameters):
    assert network().count_params() == parameters


def wanted_deviation(name, shape):
    """The release's: .02 of generator, discriminator and heads; Xavier's uniform of VGG-16, fc6 and fc7."""
    if not name.startswith(("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7")):
        return 0.02
    return np.sqrt(2 / (np.prod(shape[:2]) * (shape[2] + shape[3])))


@pytest.mark.parametrize("network", ["generator", "discriminator", "segmenter"])
def test_kernels_begin_at_random_about_zero(network):
    keras.utils.set_random_seed(0)
    builders = {"generator": build_generator, "discriminator": build_discriminator}
    built = builders[network](width=0.1) if network in builders else build_segmenter(Networks(width=0.1, head_kernel=4))
    kernels = [v for v in built.trainable_variables if "kernel" in v.name]
    assert len(kernels) == {"generator": 16, "discriminator": 5, "segmenter": 13 + 2 + 3}[network]
    for kernel in kernels:
        name = kernel.name if network == "segmenter" else ""
        deviation, error = wanted_deviation(name, kernel.shape), 5 / np.sqrt(np.prod(kernel.shape))
        assert np.std(kernel) == pytest.approx(deviation, rel=error), kernel.name
        assert abs(np.mean(kernel)) < error * deviation, kernel.name


def assert_same(ours, plain):
    np.testing.assert_allclose(ours, plain, atol=1e-4 * np.abs(plain).max(), rtol=0)


@pytest.mark.parametrize(
    "build, plain", [(build_generator, plain_networks.generator), (build_discriminator, plain_networks.discriminator)]
)
def test_generator_and_discriminator_are_their_layers(build, plain):
    network = build(width=0.05)
    give_weights(network)
    image = tf.random.stateless_uniform([2, 256, 256, 3], [0, 1], -120, 150)
    k = tf.cast(tf.random.stateless_uniform([2, 256, 256, 1], [0, 2]) < 0.5, tf.float32)
    assert_same(network([image, k], training=True), plain(named_variables(network), image, k))


@pytest.mark.parametrize("head_kernel, half_pixel", [(1, True), (4, False)])
def test_segmenter_is_its_layers(head_kernel, half_pixel):
    segmenter = build_segmenter(Networks(width=0.05, head_kernel=head_kernel, half_pixel=half_pixel))
    give_weights(segmenter)
    image = tf.random.stateless_uniform([2, 112, 128, 3], [0, 1], -120, 150)  # 14x16 at the end: fc6 sees its taps
    kept = {name: what_dropout_keeps(segmenter.get_layer(f"{name}_dropout"), [2, 14, 16, 51]) for name in FC}
    segmentation, boundary = plain_networks.segmenter(named_variables(segmenter), image, half_pixel, kept)
    found = segmenter(image, training=True)
    assert_same(found["segmentation"], segmentation)
    assert_same(found["boundary"], boundary)


def test_checkpoints_know_the_state_of_dropout_by_these_names(tmp_path):
    """By the number of a layer, which one layer more or less in front would change: no earlier run could go on."""
    path = tf.train.Checkpoint(segmenter=build_segmenter(Networks(width=0.05))).save(str(tmp_path / "ckpt"))
    names = [name for name, _ in tf.train.list_variables(path) if "random" in name]
    assert names == [f"segmenter/layer-{number}/random/_state_var/.ATTRIBUTES/VARIABLE_VALUE" for number in (35, 38)]


def what_dropout_keeps(layer, shape):
    """What the layer will multiply its next input by: 0 or 2."""
    state = tf.identity(layer.random.state)
    kept = layer(tf.ones(shape), training=True)
    layer.random.state.assign(state)
    assert np.mean(kept == 0) == pytest.approx(0.5, abs=0.02) and np.mean(kept == 2) == pytest.approx(0.5, abs=0.02)
    return kept


def test_the_probability_is_that_of_manipulated():
    segmenter = build_segmenter(Networks(width=0.05))
    give_weights(segmenter)
    image = tf.random.stateless_uniform([1, 48, 56, 3], [0, 1], -120, 150)  # alone: it is its own batch
    all_kept = dict.fromkeys(FC, 1.0)
    logits, _ = plain_networks.segmenter(named_variables(segmenter), image, True, all_kept)
    manipulated = 1 / (1 + np.exp(logits[..., :1] - logits[..., 1:]))
    np.testing.assert_allclose(manipulation_probability(segmenter, image), manipulated, atol=1e-4)


def test_generator_gives_pictures_in_network_range():
    m = tf.random.stateless_uniform([2, 256, 256, 3], [0, 1], -120, 150)
    g_m = build_generator(width=0.05)([m, tf.zeros([2, 256, 256, 1])])
    assert g_m.shape == [2, 256, 256, 3]
    pixels = g_m + [104.00698793, 116.66876762, 122.67891434]
    assert np.min(pixels) >= 0 and np.max(pixels) <= 255


def test_a_discriminator_logit_sees_70_pixels():
    discriminator = build_discriminator(width=0.05)
    image = tf.zeros([1, 256, 256, 3])
    with tf.GradientTape() as tape:
        tape.watch(image)
        logits = discriminator([image, tf.ones([1, 256, 256, 1])])
        one = logits[0, 15, 15, 0]
    assert logits.shape == [1, 30, 30, 1]
    seen = np.flatnonzero(np.abs(tape.gradient(one, image)).sum(axis=(0, 2, 3)))
    assert seen.max() - seen.min() + 1 == 70


@pytest.mark.parametrize("size", [(40, 40), (37, 50), (300, 300)])
def test_segmenter_gives_logits_of_the_pictures_size(size):
    outputs = build_segmenter(Networks(width=0.02))(tf.zeros([1, *size, 3]))
    assert {name: tuple(x.shape) for name, x in outputs.items()} == {
        "segmentation": (1, *size, 2),
        "boundary": (1, *size, 2),
    }


@pytest.mark.parametrize("kernel_initializer", ["glorot_uniform", "zeros"])
def test_kernels_begin_as_asked(kernel_initializer):
    segmenter = build_segmenter(Networks(width=0.05), kernel_initializer=kernel_initializer)
    kernels = [v for name, v in named_variables(segmenter).items() if "kernel" in name and "head" not in name]
    assert len(kernels) == 13 + 2
    assert all(np.any(kernel) == (kernel_initializer != "zeros") for kernel in kernels)


def test_without_the_boundary_branch_there_is_one_output():
    segmenter = build_segmenter(Networks(width=0.02, boundary_branch=False))
    assert set(segmenter(tf.zeros([1, 40, 40, 3]))) == {"segmentation"}
    assert not any("boundary" in name or "fusion" in name for name in named_variables(segmenter))


def test_a_picture_never_depends_on_its_batch_mates():
    segmenter = build_segmenter(Networks(width=0.05))
    x = tf.random.stateless_uniform([3, 48, 48, 3], [0, 1], -120, 150)
    together = manipulation_probability(segmenter, x)
    alone = manipulation_probability(segmenter, x[1:2])
    np.testing.assert_allclose(together[1:2], alone, atol=1e-5)
    assert np.all((together >= 0) & (together <= 1))


def test_dropout_acts_in_training_alone():
    segmenter = build_segmenter(Networks(width=0.05))
    x = tf.random.stateless_uniform([1, 48, 48, 3], [0, 1], -120, 150)
    train = [segmenter(x, training=True)["segmentation"].numpy() for _ in range(2)]
    test = [segmenter(x, training=False)["segmentation"].numpy() for _ in range(2)]
    assert np.any(train[0] != train[1])
    np.testing.assert_array_equal(*test)
