"""EXIF-consistency's published weights: a checkpoint of the authors' names, and a network that does what theirs does.

Their network is written here in plain operations; it draws its weights, which become the checkpoint. Keras builds a
smaller ResNet v2 in place of the whole one.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from gsr_tf.comparators import slim as slim_names
from gsr_tf.comparators.exif.network import PAIR, TRUNK, build_network
from gsr_tf.comparators.exif.release import load_release_checkpoint, release_name
from gsr_tf.comparators.exif.settings import Network
from gsr_tf.models.weights import WeightsError
from gsr_tf.training.exif import EXIFRun
from tests.comparators import narrow_resnet
from tests.comparators import slim_networks as slim
from tests.tf1_checkpoint import write_tf1_checkpoint

FEATURES, SIDE = 9, 64
NETWORK = {"feature_channels": FEATURES, "fc_channels": (8, 7, 6), "same_channels": 5}


def theirs(weights, one, other):
    """What the authors' network makes of patches in [-1, 1]: features of one, logits of 83 attributes, of "same"."""
    size = narrow_resnet.CHANNELS, narrow_resnet.UNITS, FEATURES
    features = [slim.exif_trunk(weights, x, *size) for x in (one, other)]
    x = tf.concat(features, -1)
    for number, channels in enumerate(NETWORK["fc_channels"], start=1):
        x = tf.nn.relu(slim.dense(weights, x, f"predict/fc/fc_{number}", channels))
    attributes = slim.dense(weights, x, "predict/fc_out", 83)
    x = tf.nn.relu(slim.dense(weights, attributes, "classify/fc/fc_1", NETWORK["same_channels"]))
    return features[0], attributes, slim.dense(weights, x, "classify/fc_out", 1)


@pytest.fixture(scope="module")
def patches():
    """Three pairs, from dull to lively."""
    shade, spread = (tf.reshape(x, [3, 1, 1, 1]) for x in ([-0.9, 0.5, 0.0], [0.1, 0.4, 1.0]))
    shape = [3, SIDE, SIDE, 3]
    return [shade + spread * tf.random.stateless_uniform(shape, [0, seed], -1.0, 1.0) for seed in range(2)]


@pytest.fixture(scope="module")
def weights(patches):
    drawn = slim.Weights()
    theirs(drawn, *patches)
    return drawn


@pytest.fixture(scope="module")
def checkpoint(weights, tmp_path_factory):
    values = {**weights, "beta1_power": 0.9, **{f"{name}/Adam": x + 1 for name, x in weights.items()}}
    return write_tf1_checkpoint(tmp_path_factory.mktemp("release") / "exif_final.ckpt", values)


@pytest.fixture(scope="module")
def filled(checkpoint):
    run = EXIFRun().changed(trunk="resnet50-slim", release_checkpoint=checkpoint, input_size=SIDE, **NETWORK)
    with pytest.MonkeyPatch.context() as patch:
        narrow_resnet.put_in_place(patch)
        segmenter = run.build_segmenter()
    run.initialize(SimpleNamespace(segmenter=segmenter))
    return segmenter


def test_the_network_computes_what_the_authors_does(filled, weights, patches):
    features, attributes, same = theirs(weights, *patches)
    found = filled(patches, training=False)
    np.testing.assert_allclose(filled.get_layer(TRUNK)(patches[0], training=False), features, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found["attributes"], attributes, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found["same"], same, rtol=1e-4, atol=1e-4)
    assert np.ptp(features, axis=0).max() > 0.3 and np.ptp(same) > 0.01


def test_kerass_own_padding_would_be_another_network(filled, weights, patches, monkeypatch):
    narrow_resnet.put_in_place(monkeypatch)
    kerass = build_network(Network(trunk="resnet50", **NETWORK), SIDE)
    for variable, value in zip(kerass.variables, filled.variables, strict=True):
        variable.assign(value)
    wanted = theirs(weights, *patches)[0].numpy()
    found = kerass.get_layer(TRUNK)(patches[0], training=False).numpy()
    assert np.abs(found - wanted).max() > 0.05


def test_the_first_layer_of_a_pair_has_the_authors_halves(filled, weights, patches):
    kernel = weights["predict/fc/fc_1/weights"]
    one, other = (filled.get_layer(TRUNK)(x, training=False).numpy() for x in patches)
    pair = filled.get_layer(PAIR)
    np.testing.assert_allclose(pair.first(one), one @ kernel[:FEATURES] + weights["predict/fc/fc_1/biases"], rtol=1e-4)
    np.testing.assert_allclose(pair.second(other), other @ kernel[FEATURES:], rtol=1e-4, atol=1e-5)


def test_a_variance_takes_in_what_kerass_epsilon_has_more(tmp_path):
    variance, mean = tf.Variable([0.0]), tf.Variable([0.0])
    prefix = write_tf1_checkpoint(tmp_path / "ckpt", {"v": [2e-5], "m": [2e-5]})
    slim_names.load_release_checkpoint(
        {"x/moving_variance": variance, "x/moving_mean": mean}, prefix, lambda name: name[9], lambda _, value: value
    )
    assert variance.numpy() + 1.001e-5 == pytest.approx(3e-5, rel=1e-6)
    assert mean.numpy() == pytest.approx(2e-5)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("conv1_conv/bias", "resnet_v2_50/conv1/biases"),
        ("conv2_block1_preact_bn/beta", "resnet_v2_50/block1/unit_1/bottleneck_v2/preact/beta"),
        ("conv5_block1_0_conv/bias", "resnet_v2_50/block4/unit_1/bottleneck_v2/shortcut/biases"),
        ("conv4_block6_1_bn/moving_mean", "resnet_v2_50/block3/unit_6/bottleneck_v2/conv1/BatchNorm/moving_mean"),
        ("post_bn/gamma", "resnet_v2_50/postnorm/gamma"),
        ("features/kernel", "resnet_v2_50/logits/weights"),
        ("fc_1/kernel", "predict/fc/fc_1/weights"),
        ("fc_3/bias", "predict/fc/fc_3/biases"),
        ("attributes/kernel", "predict/fc_out/weights"),
        ("same_1/kernel", "classify/fc/fc_1/weights"),
        ("same/bias", "classify/fc_out/biases"),
    ],
)
def test_names_are_the_authors(name, place):
    assert release_name(name) == place


def test_nothing_of_a_checkpoint_is_left_over(filled, weights):
    places = {release_name(v.name.partition(":")[0]) for v in filled.variables if v is not filled.known}
    assert places == set(weights)
    assert not filled.known.numpy().any()  # an order of outputs that is not ours


def test_what_does_not_fit_is_named_and_changes_nothing(filled, weights, tmp_path):
    before = [v.numpy() for v in filled.variables]
    without = {name: x for name, x in weights.items() if not name.startswith("classify")}
    prefix = write_tf1_checkpoint(tmp_path / "without", without)
    with pytest.raises(WeightsError) as error:
        load_release_checkpoint(filled, prefix)
    missing = "classify/fc/fc_1/biases, classify/fc/fc_1/weights, classify/fc_out/biases and 1 more"
    said = (
        f"--release_checkpoint={prefix}: 4 of {len(weights)} weights are missing: {missing}. Names that come near: pre"
    )
    assert str(error.value).startswith(said)
    name = "predict/fc/fc_1/weights"
    prefix = write_tf1_checkpoint(tmp_path / "other", {**weights, name: weights[name][:FEATURES]})
    with pytest.raises(WeightsError, match=r"fc_1/kernel is \(9, 8\), the network has \(18, 8\)"):
        load_release_checkpoint(filled, prefix)
    with pytest.raises(WeightsError, match="--release_checkpoint=nowhere: not a TensorFlow checkpoint"):
        load_release_checkpoint(filled, "nowhere")
    for variable, value in zip(filled.variables, before):
        np.testing.assert_array_equal(variable, value)
