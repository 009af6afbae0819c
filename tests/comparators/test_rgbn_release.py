"""RGB-N's published weights: a checkpoint of the authors' names, and a network that does what theirs does.

Their network is written here in plain operations; it draws its weights, which become the checkpoint.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.comparators.rgbn import backbone, network
from gsr_tf.comparators.rgbn.network import TwoStreamNetwork
from gsr_tf.comparators.rgbn.release import load_release_checkpoint, release_name
from gsr_tf.comparators.rgbn.settings import Network
from gsr_tf.comparators.rgbn.srm import noise
from gsr_tf.models.keras import keras
from gsr_tf.models.weights import WeightsError
from gsr_tf.training.rgbn import RGBNRun
from tests.comparators import slim_networks as slim
from tests.tf1_checkpoint import write_tf1_checkpoint

CHANNELS, RPN, POOLED, ANCHORS = (3, 4, 5, 6), 7, 32, 12
SIZE = (70, 85)
PIXELS = np.float32([1.027, 0.7223, -0.0928])  # what theirs has more than ours: another mean of the colours


def theirs(weights, image, crops):
    """What the authors' network makes of a picture in BGR less a mean, [1, h, w, 3], and of {stream: crops}."""
    resnet = "resnet_v1_50"
    found = {
        "rgb": slim.rgbn_trunk(weights, image, f"{resnet}/conv1", resnet, CHANNELS),
        "noise": slim.rgbn_trunk(weights, noise(image), "conv1", "noise", CHANNELS),
    }
    x = tf.nn.relu(slim.convolution(weights, found["rgb"], f"{resnet}/rpn_conv/3x3", RPN, 3, bias=True))
    found["scores"] = slim.convolution(weights, x, f"{resnet}/rpn_cls_score", 2 * ANCHORS, 1, bias=True)
    found["deltas"] = slim.convolution(weights, x, f"{resnet}/rpn_bbox_pred", 4 * ANCHORS, 1, bias=True)
    rgb, other = (
        slim.block(weights, crops[stream], slim.unit_1, f"{scope}/block4", CHANNELS[3], 3, 1)
        for stream, scope in (("rgb", resnet), ("noise", "noise"))
    )
    found["class"] = slim.dense(weights, pooled(rgb.numpy(), other.numpy()), "noise_pred/cls_score", 2)
    found["box"] = slim.dense(weights, tf.reduce_mean(rgb, [1, 2]), "noise_pred/bbox_pred", 8)
    return {name: np.asarray(x) for name, x in found.items()}


def pooled(x, y):
    """Compact bilinear pooling as published: places and signs drawn by NumPy's seeds 1, 3, 5 and 7; then its root."""
    spectra = []
    for features, (places, signs) in ((x, (1, 3)), (y, (5, 7))):
        np.random.seed(places)
        where = np.random.randint(POOLED, size=features.shape[-1])
        np.random.seed(signs)
        sign = 2 * np.random.randint(2, size=features.shape[-1]) - 1
        spectra.append(np.fft.fft(features @ (sign[:, np.newaxis] * np.eye(POOLED)[where])))
    means = np.fft.ifft(spectra[0] * spectra[1]).real.mean((1, 2))
    roots = np.sign(means) * np.sqrt(np.abs(means))
    return tf.constant(roots / np.linalg.norm(roots, axis=-1, keepdims=True), tf.float32)


@pytest.fixture(scope="module")
def pictures():
    """A picture, and of two regions the features that are cut out of it."""
    shape = [2, 7, 7, 4 * CHANNELS[2]]
    crops = {name: tf.random.stateless_uniform(shape, [3, n]) for n, name in enumerate(("rgb", "noise"))}
    return tf.random.stateless_uniform([1, *SIZE, 3], [0, 1], -3.0, 3.0), crops


@pytest.fixture(scope="module")
def weights(pictures):
    drawn = slim.Weights()
    theirs(drawn, *pictures)
    return drawn


@pytest.fixture(scope="module")
def checkpoint(weights, tmp_path_factory):
    values = {**weights, "Variable": np.float32(1e-4), "noise/block1/unit_1/bottleneck_v1/conv1/weights/Momentum": 1.0}
    return write_tf1_checkpoint(tmp_path_factory.mktemp("release") / "res50_fusion_iter_1.ckpt", values)


@pytest.fixture(scope="module")
def empty():
    """A network of narrow ResNets, the layout of the authors' alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backbone, "CHANNELS", CHANNELS)
        patch.setattr(network, "RPN_CHANNELS", RPN)
        return TwoStreamNetwork(Network(backbone="resnet50", pooling_channels=POOLED))


@pytest.fixture(scope="module")
def filled(empty, checkpoint):
    run = RGBNRun().changed(backbone="resnet50", release_checkpoint=checkpoint)
    run.initialize(SimpleNamespace(segmenter=empty))
    return empty


def test_the_network_computes_what_the_authors_does(filled, weights, pictures):
    """But for the mean of the colours, for which the first layer's bias stands; it is taken out here."""
    (bias,) = (v for v in filled.variables if v.name == "rgb_conv1_conv/bias:0")
    before = bias.numpy()
    bias.assign(tf.zeros_like(bias))
    wanted, found = theirs(weights, *pictures), {k: v.numpy() for k, v in filled.look(pictures[0]).items()}
    bias.assign(before)
    for stream in ("rgb", "noise"):
        np.testing.assert_allclose(found[stream], wanted[stream], atol=1e-4 * wanted[stream].max(), err_msg=stream)
    assert wanted["rgb"].shape == (1, 5, 6, 20)  # at stride 16
    scores = wanted["scores"].transpose(0, 3, 1, 2).reshape(1, 2, -1, 6)  # as theirs: the classes first
    yes = tf.nn.softmax(scores, axis=1)[:, 1].numpy().reshape(ANCHORS, 5, 6).transpose(1, 2, 0).ravel()
    assert np.std(yes) > 0.1
    np.testing.assert_allclose(tf.nn.softmax(found["objectness"][0])[:, 1], yes, atol=1e-3)
    dx, dy, dw, dh = wanted["deltas"].reshape(-1, 4).T
    np.testing.assert_allclose(found["deltas"][0], np.stack([dy, dx, dh, dw], -1), atol=1e-3 * np.abs(dx).max())


def test_regions_are_judged_as_the_authors_do(filled, weights, pictures):
    wanted, found = theirs(weights, *pictures), filled.judge(pictures[1])
    np.testing.assert_allclose(found["logits"], wanted["class"], atol=1e-4)
    dx, dy, dw, dh = wanted["box"][:, 4:].T  # of the class "tampered"
    np.testing.assert_allclose(found["deltas"], np.stack([dy, dx, dh, dw], -1), atol=1e-4 * np.abs(dx).max())


def test_the_bias_makes_up_for_the_mean_where_no_border_is_seen(filled, weights, pictures):
    first = keras.Model(filled.look.input, filled.look.get_layer("rgb_conv1_conv").output)(pictures[0]).numpy()
    wanted = slim.convolution(weights, pictures[0] + PIXELS, "resnet_v1_50/conv1", CHANNELS[0], 7, 2).numpy()
    inside = np.s_[:, 2:-2, 2:-2]
    np.testing.assert_allclose(first[inside], wanted[inside], atol=1e-3)
    assert np.abs(first - wanted).max() > 0.1  # at the border


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("rgb_conv1_conv/kernel", "resnet_v1_101/conv1/weights"),
        ("noise_conv1_conv/kernel", "conv1/weights"),
        ("noise_conv1_bn/moving_mean", "conv1/BatchNorm/moving_mean"),
        ("rgb_conv4_block23_3_conv/kernel", "resnet_v1_101/block3/unit_23/bottleneck_v1/conv3/weights"),
        ("noise_conv5_block1_0_bn/gamma", "noise/block4/unit_1/bottleneck_v1/shortcut/BatchNorm/gamma"),
        ("rpn_conv/bias", "resnet_v1_101/rpn_conv/3x3/biases"),
        ("rpn_objectness/kernel", "resnet_v1_101/rpn_cls_score/weights"),
        ("class/kernel", "noise_pred/cls_score/weights"),
        ("box/bias", "noise_pred/bbox_pred/biases"),
        ("rgb_conv2_block1_1_conv/bias", None),
    ],
)
def test_names_are_the_authors(name, place):
    assert release_name(name, "resnet101") == place


def test_nothing_of_a_checkpoint_is_left_over(filled, weights):
    places = {release_name(v.name.partition(":")[0], "resnet50") for v in filled.variables}
    assert places - {None} == set(weights)


def test_what_does_not_fit_is_named_and_changes_nothing(filled, weights, tmp_path):
    before = [v.numpy() for v in filled.variables]

    def refused(message, values):
        prefix = write_tf1_checkpoint(tmp_path / f"ckpt_{len(message)}", values)
        with pytest.raises(WeightsError, match=message):
            load_release_checkpoint(filled, "resnet50", prefix)

    without = {name: x for name, x in weights.items() if not name.startswith("noise/block4")}
    refused(
        r"--release_checkpoint=\S+: 50 of \d+ weights are missing: noise/block4/unit_1/bottleneck_v1/conv1/BatchNorm/"
        r"beta, \S+, \S+ and 47 more\. Names that come near: noise/block\d/unit_1/bottleneck_v1/conv1/BatchNorm/beta, ",
        without,
    )
    name = "resnet_v1_50/rpn_cls_score/weights"
    refused(r"rpn_objectness/kernel is \(1, 1, 7, 18\), the network has \(1, 1, 7, 24\)", {
        **weights, name: weights[name][..., :18],
    })  # fmt: skip
    with pytest.raises(WeightsError, match="--release_checkpoint=nowhere: not a TensorFlow checkpoint"):
        load_release_checkpoint(filled, "resnet50", "nowhere")
    for variable, value in zip(filled.variables, before):
        np.testing.assert_array_equal(variable, value)
