"""DIH: its network, its step, its weights in a file."""

import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from gsr_tf.comparators.dih.dih import DIH
from gsr_tf.comparators.dih.network import CHANNELS, build_network
from gsr_tf.comparators.dih.settings import Network, Optimization
from gsr_tf.comparators.dih.weights import load_harmonizer
from gsr_tf.data.augment.recolouring import RANDOM_NUMBERS, Recolouring, recoloured
from gsr_tf.data.batch import Batch
from gsr_tf.data.composition import copy_paste
from gsr_tf.data.image_ops import CAFFE_MEAN_BGR, subtract_mean
from gsr_tf.models.keras import keras
from gsr_tf.models.weights import WeightsError, named_variables
from gsr_tf.settings import ConfigError
from gsr_tf.training.dih import foreground_errors
from tests.comparators import runs
from tests.networks import make_batch

TINY = Network(width=0.05, network_size=64)


def tiny(learning_rate=1e-3, **network):
    return DIH(Network(**{"width": 0.05, "network_size": 64, **network}), Optimization(learning_rate=learning_rate))


# -------------------------------------------------------------------------------------------------- the network


@pytest.mark.parametrize(("scene_decoder", "parameters"), [(False, 8_268_800), (True, 14_365_312)])
def test_the_parameters_at_256_are_the_ports(scene_decoder, parameters):
    assert build_network(Network().channels, scene_decoder=scene_decoder).count_params() == parameters


def test_at_512_there_is_one_level_more():
    network = Network(network_size=512)
    assert network.channels == CHANNELS == (64, 64, 128, 128, 256, 256, 512)
    built = build_network(network.channels)
    assert named_variables(built)["dih/code/kernel"].shape == (4, 4, 512, 1024)  # the paper's 1024
    assert built.input_shape[0] == built.output_shape == (None, 512, 512, 3)


@pytest.mark.parametrize("size", [64, 128, 256, 512])
def test_the_answer_has_the_size_of_the_picture(size):
    network = build_network(Network(width=0.02, network_size=size).channels)
    assert network([tf.zeros([2, size, size, 3]), tf.zeros([2, size, size, 1])]).shape == (2, size, size, 3)


@pytest.mark.parametrize("scene_decoder", [False, True])
def test_skips_are_added_and_scene_features_set_beside(scene_decoder):
    network = build_network(Network().channels, scene_decoder=scene_decoder)
    shapes = {name: v.shape for name, v in named_variables(network).items() if name.endswith("/kernel")}
    # A transposed kernel is [4, 4, out, in]: what goes into a level is as wide as the encoder's level, or twice that.
    sides = 2 if scene_decoder else 1
    assert [shapes[f"dih/decoder_{n}/kernel"][2:] for n in range(6)] == [
        *[(256, 512), (256, 256 * sides), (128, 256 * sides), (128, 128 * sides), (64, 128 * sides), (64, 64 * sides)]
    ]
    scene = [(256, 512), (256, 256), (128, 256), (128, 128), (64, 128)] if scene_decoder else []
    assert [shapes[name][2:] for name in sorted(shapes) if "scene" in name] == scene
    assert shapes["dih/output/kernel"][2:] == (3, 64)


def test_a_level_of_the_encoder_comes_through_by_its_skip():
    """With a decoder that says nothing, the answer is the last transposed convolution of the first level alone."""
    network = build_network(TINY.channels)
    variables = named_variables(network)
    for name, variable in variables.items():
        if name.startswith("dih/decoder"):
            variable.assign(tf.zeros_like(variable))
    batch = make_batch(size=64)
    pixels = tf.concat([(batch.m + CAFFE_MEAN_BGR) / 127.5 - 1, batch.k], -1)
    first = tf.nn.elu(tf.nn.conv2d(pixels, variables["dih/encoder_1/kernel"], 2, "SAME"))
    wanted = tf.nn.conv2d_transpose(first, variables["dih/output/kernel"], [2, 64, 64, 3], 2, "SAME")
    found = network([batch.m, batch.k])
    np.testing.assert_allclose(found, (wanted + 1) * 127.5 - CAFFE_MEAN_BGR, atol=1e-3)


@pytest.mark.parametrize("scene_decoder", [False, True])
def test_a_step_moves_every_weight_and_its_number(scene_decoder):
    net = tiny(scene_decoder=scene_decoder)
    before = {name: v.numpy() for name, v in named_variables(net.harmonizer).items()}
    for _ in range(2):
        net.train_step(make_batch(size=64))
    still = [name for name, v in named_variables(net.harmonizer).items() if (v.numpy() == before[name]).all()]
    assert not still
    assert int(net.step) == 2 and net.train_step.experimental_get_tracing_count() == 1


def test_scale_and_offset_begin_as_nothing():
    variables = named_variables(build_network(TINY.channels))
    assert all((v.numpy() == 1).all() for name, v in variables.items() if name.endswith("bn_gamma"))
    assert not any(v.numpy().any() for name, v in variables.items() if name.endswith("bn_beta"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"network_size": 300}, "--network_size=300: expected one of 64, 128, 256, 512"),
        ({"width": 0.0}, "--width=0.0: expected at least 0.001"),
    ],
)
def test_what_makes_no_sense_names_its_flag(wrong, message):
    with pytest.raises(ConfigError, match=message):
        Network(**wrong)


# -------------------------------------------------------------------------------------------------- the step


@pytest.mark.parametrize("size", [64, 48])
def test_the_loss_is_the_mean_square_in_levels(size):
    net, batch = tiny(), make_batch(size=size)
    m, k, t = (tf.image.resize(x, [64, 64]) for x in (batch.m, batch.k, batch.t))
    wanted = float(tf.reduce_mean((net.harmonizer([m, k]) - t) ** 2))
    assert float(net.train_step(batch)["loss/harmonizer"]) == pytest.approx(wanted, 1e-4)


def test_two_replicas_of_one_picture_are_one_of_two(two_replicas):
    batch = make_batch(size=64)
    nets = runs.assert_two_replicas_are_one(tiny, batch, two_replicas, named_variables, atol=1e-4)
    # Adam's first step is of one length whatever the gradient's: what it keeps of the gradient tells.
    kept, wanted = (
        net.harmonizer_optimizer.get_slot(named_variables(net.harmonizer)["dih/output/kernel"], "m").numpy()
        for net in nets
    )
    np.testing.assert_allclose(kept, wanted, rtol=1e-3, atol=1e-5 * np.abs(wanted).max())


def recoloured_pieces(photograph, recolouring, number=0, pictures=16, side=64):
    """Pieces of a photograph with a square of each in other colours; other pieces for each number."""
    random = np.random.default_rng(number)
    bgr, t, s = photograph[..., ::-1], [], []
    for top, left in random.integers(0, min(photograph.shape[:2]) - 2 * side, [pictures, 2]):
        piece = tf.constant(bgr[top : top + 2 * side : 2, left : left + 2 * side : 2].copy())
        t.append(subtract_mean(piece))
        s.append(subtract_mean(recoloured(piece, recolouring, tf.constant(random.random(RANDOM_NUMBERS), tf.float32))))
    k = np.zeros([pictures, side, side, 1], np.float32)
    for number, (top, left) in enumerate(random.integers(4, 28, [pictures, 2])):
        k[number, top : top + 32, left : left + 32] = 1
    s, t = tf.stack(s), tf.stack(t)
    return Batch(s, tf.constant(k), t, copy_paste(s, k, t))


def trained_on(recolouring, steps):
    """A narrow network after so many steps on pieces of one photograph, and the losses."""
    keras.utils.set_random_seed(0)
    net = tiny(learning_rate=3e-3, width=0.25)
    batches = [recoloured_pieces(skimage.data.astronaut(), recolouring, number) for number in range(8)]
    return net, [float(net.train_step(batches[step % 8])["loss/harmonizer"]) for step in range(steps)]


def test_pairs_that_are_the_same_are_learnt():
    nothing = Recolouring(brightness=(1.0, 1.0), contrast=(1.0, 1.0), saturation=(1.0, 1.0), hue=0.0)
    net, losses = trained_on(nothing, 80)
    held_out = recoloured_pieces(skimage.data.coffee(), nothing)
    np.testing.assert_array_equal(held_out.m, held_out.t)
    assert losses[-1] < 0.1 * losses[0]
    assert float(foreground_errors(net.harmonizer, held_out)[0]) < 0.1 * float(tf.math.reduce_variance(held_out.t))


def test_regions_of_another_photograph_come_nearer_to_what_they_were():
    net, _ = trained_on(Recolouring(), 120)
    held_out = recoloured_pieces(skimage.data.coffee(), Recolouring(), pictures=48)
    harmonised, as_is = map(float, foreground_errors(net.harmonizer, held_out))
    assert harmonised < 0.95 * as_is


# -------------------------------------------------------------------------------------------------- the file


@pytest.fixture
def written(tmp_path):
    """A network and the file of its weights, by the form it has."""

    def write(**changes):
        settings = Network(**{"width": 0.05, "network_size": 64, **changes})
        network = build_network(settings.channels, scene_decoder=settings.scene_decoder)
        arrays = {name: variable.numpy() for name, variable in named_variables(network).items()}
        np.savez(tmp_path / "dih.npz", **arrays)
        return network, arrays, tmp_path / "dih.npz"

    return write


@pytest.mark.parametrize("form", [{}, {"network_size": 128}, {"scene_decoder": True}, {"width": 0.1}], ids=str)
def test_a_file_says_by_itself_which_network_it_is_of(written, form):
    network, _, path = written(**form)
    found = load_harmonizer(str(path))
    size = form.get("network_size", 64)
    batch = make_batch(size=size)
    np.testing.assert_array_equal(found([batch.m, batch.k]), network([batch.m, batch.k]))
    assert not found.trainable_variables and len(found.variables) == len(network.variables)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda arrays: {"mfcn/conv1_1/kernel": np.zeros(3)}, "no weights of DIH; expected an .npz of"),
        (lambda arrays: {**arrays, "dih/encoder_1/kernel": np.zeros(3)}, r"dih/encoder_1/kernel is \(3,\)"),
        (lambda arrays: {k: v for k, v in arrays.items() if "output" not in k}, "no weights for dih/output/kernel"),
        (
            lambda arrays: {**arrays, **{f"dih/encoder_{n}/kernel": np.zeros([4, 4, 3, 3]) for n in range(5, 60)}},
            "no weights of DIH",
        ),
    ],
    ids=["another network", "another shape", "a part", "levels without end"],
)
def test_a_file_of_something_else_is_refused(written, broken, message):
    _, arrays, path = written()
    np.savez(path, **broken(arrays))
    with pytest.raises(WeightsError, match=f"--harmonizer={path}: {message}"):
        load_harmonizer(str(path))


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_a_file_that_is_damaged_or_missing_is_named(tmp_path, damage):
    path = tmp_path / "dih.npz"
    if damage is not None:
        path.write_bytes(damage)
    with pytest.raises(WeightsError, match=f"--harmonizer={path}: could not be read"):
        load_harmonizer(str(path))


def test_bfloat16_keeps_the_losses():
    runs.assert_bfloat16_keeps_the_losses(tiny, make_batch(), within=0.05)
