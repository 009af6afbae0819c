"""Weights from elsewhere: names, every source of VGG-16, whole checkpoints of the release, and what does not fit."""

import numpy as np
import pytest

from gsr_tf.models.discriminator import build_discriminator
from gsr_tf.models.generator import build_generator
from gsr_tf.models.keras import keras
from gsr_tf.models.networks import Networks
from gsr_tf.models.release import load_release_checkpoint
from gsr_tf.models.segmenter import VGG16, build_segmenter
from gsr_tf.models.vgg16 import initialize_vgg16
from gsr_tf.models.weights import WeightsError, load_npz, named_variables
from tests.tf1_checkpoint import write_tf1_checkpoint

LAYERS = [f"conv{block}_{layer}" for block, row in enumerate(VGG16, 1) for layer in range(1, row.convolutions + 1)]


@pytest.fixture(scope="module")
def vgg16():
    """Weights of VGG-16's true shapes, cheaply made: {conv1_1: (kernel, bias)}."""
    values, channels = {}, 3
    for name in LAYERS:
        width = VGG16[int(name[4]) - 1].channels
        values[name] = (
            np.full([3, 3, channels, width], len(values) + 1, np.float16),
            np.arange(width, dtype=np.float16),
        )
        channels = width
    return values


@pytest.fixture
def segmenter():
    return build_segmenter(Networks())


def block_name(layer):
    return layer.replace("conv", "block").replace("_", "_conv")


def assert_loaded(segmenter, vgg16):
    variables = named_variables(segmenter)
    for name, (kernel, bias) in vgg16.items():
        np.testing.assert_array_equal(variables[f"segmenter/{name}/kernel"], kernel)
        np.testing.assert_array_equal(variables[f"segmenter/{name}/bias"], bias)


def test_an_npz(tmp_path, segmenter, vgg16):
    arrays = {f"{block_name(n)}/{w}": v for n, pair in vgg16.items() for w, v in zip(("kernel", "bias"), pair)}
    np.savez(tmp_path / "vgg16.npz", **arrays)
    initialize_vgg16(segmenter, str(tmp_path / "vgg16.npz"))
    assert_loaded(segmenter, vgg16)


def test_a_keras_h5(tmp_path, segmenter, vgg16):
    keras_vgg16 = keras.applications.VGG16(include_top=False, weights=None)
    for name, pair in vgg16.items():
        keras_vgg16.get_layer(block_name(name)).set_weights(pair)
    keras_vgg16.save_weights(tmp_path / "notop.h5")
    initialize_vgg16(segmenter, str(tmp_path / "notop.h5"))
    assert_loaded(segmenter, vgg16)


def test_of_a_deeplab_checkpoint_the_convolutions_alone_are_taken(tmp_path, segmenter, vgg16):
    values = {f"{n}/{w}": v for n, pair in vgg16.items() for w, v in zip("wb", pair)}
    values |= {"fc6/w": np.full([3, 3, 512, 1024], 7.0), "fc6/b": np.zeros(1024)}
    values |= {"fc7/w": np.full([1, 1, 1024, 1024], 8.0), "fc7/b": np.zeros(1024)}
    prefix = write_tf1_checkpoint(tmp_path / "deeplab", values)
    initialize_vgg16(segmenter, prefix)
    assert_loaded(segmenter, vgg16)
    fc6 = named_variables(segmenter)["segmenter/fc6/kernel"]
    assert not np.any(fc6 == 7)


def test_random_leaves_everything_and_imagenet_offline_says_where_to_get_it(monkeypatch, segmenter):
    before = named_variables(segmenter)["segmenter/conv1_1/kernel"].numpy()
    initialize_vgg16(segmenter, "random")
    np.testing.assert_array_equal(before, named_variables(segmenter)["segmenter/conv1_1/kernel"])

    def offline(**_):
        raise OSError("URL fetch failure")

    monkeypatch.setattr(keras.applications, "VGG16", offline)
    with pytest.raises(WeightsError, match="--vgg16_weights=imagenet.*URL fetch failure.*notop.h5"):
        initialize_vgg16(segmenter, "imagenet")


@pytest.mark.parametrize("source", ["missing.h5", "missing.npz", "missing_prefix"])
def test_missing_files_are_named(segmenter, source):
    with pytest.raises(WeightsError, match=f"--vgg16_weights={source}: no such file. .*takes"):
        initialize_vgg16(segmenter, source)


def test_a_file_of_another_kind_is_not_called_missing(tmp_path, segmenter):
    (tmp_path / "deeplab.ckpt.meta").touch()
    with pytest.raises(WeightsError, match=r"ckpt\.meta: a file of none of these kinds\. --vgg16_weights takes"):
        initialize_vgg16(segmenter, str(tmp_path / "deeplab.ckpt.meta"))


def test_weights_of_another_width_do_not_fit_and_change_nothing(tmp_path):
    segmenter = build_segmenter(Networks(width=0.5))
    np.savez(tmp_path / "w.npz", **{"block1_conv1/kernel": np.ones([3, 3, 3, 64]), "block1_conv1/bias": np.ones(64)})
    with pytest.raises(WeightsError, match=r"conv1_1/kernel is \(3, 3, 3, 64\), the network has \(3, 3, 3, 32\)"):
        initialize_vgg16(segmenter, str(tmp_path / "w.npz"))
    assert not np.any(named_variables(segmenter)["segmenter/conv1_1/kernel"] == 1)


# The release's own names, written down from its variable scopes.
RELEASE_NAMES = {
    "segmenter/conv1_2/kernel": "discriminator/conv1_2/w",
    "segmenter/conv1_2/bias": "discriminator/conv1_2/b",
    "segmenter/conv4_3/bn_gamma": "discriminator/conv4_batchnorm3/scale",
    "segmenter/conv4_3/bn_beta": "discriminator/conv4_batchnorm3/beta",
    "segmenter/fc6/kernel": "discriminator/fc6/w",
    "segmenter/boundary_head/kernel": "discriminator/fc8_voc12_edge/filter",
    "segmenter/interior_head/kernel": "discriminator/fc8_voc12/filter",
    "segmenter/fusion_head/kernel": "discriminator/fc9_voc12/filter",
    "generator/encoder_3/kernel": "generator/generator/encoder_3/conv/filter",
    "generator/decoder_8/kernel": "generator/generator/decoder_8/deconv/filter",
    "discriminator/conv_0/kernel": "discriminator1/encoder_0/conv/filter",
}


def release_variable(name):
    """The TF1 name of any of our variables, by the pattern of the ones above."""
    network, layer, weight = name.split("/")
    if network == "generator":
        return f"generator/generator/{layer}/{'conv' if 'en' in layer else 'deconv'}/filter"
    if network == "discriminator":
        return f"discriminator1/encoder_{layer[-1]}/conv/filter"
    if layer.endswith("head"):
        return RELEASE_NAMES[name]
    if weight.startswith("bn"):
        return f"discriminator/conv{layer[4]}_batchnorm{layer[6]}/{'scale' if weight == 'bn_gamma' else 'beta'}"
    return f"discriminator/{layer}/{weight[0].replace('k', 'w')}"


def test_a_whole_checkpoint_of_the_release(tmp_path):
    assert {name: release_variable(name) for name in RELEASE_NAMES} == RELEASE_NAMES
    width = 0.05  # of the checkpoint's layout alone; the release's own is 1
    networks = [
        build_generator(width=width),
        build_discriminator(width=width),
        build_segmenter(Networks(width=width, head_kernel=4)),
    ]
    variables = {name: v for network in networks for name, v in named_variables(network).items()}
    values = {name: np.full(v.shape, number, np.float32) for number, (name, v) in enumerate(variables.items())}
    stored = {release_variable(name): value for name, value in values.items()}
    stored |= {f"{name}/Adam": value + 1 for name, value in stored.items()}
    stored["discriminator/conv1_batchnorm1/pop_mean"] = np.zeros(3)
    prefix = write_tf1_checkpoint(tmp_path / "release", stored)
    load_release_checkpoint(networks, prefix)
    for name, variable in variables.items():
        np.testing.assert_array_equal(variable, values[name], err_msg=name)


def test_a_file_that_is_no_checkpoint(tmp_path):
    with pytest.raises(WeightsError, match="not a TensorFlow checkpoint"):
        load_release_checkpoint([], str(tmp_path / "nothing"))


def test_weights_by_name_there_and_back(tmp_path):
    one, other = build_segmenter(Networks(width=0.05)), build_segmenter(Networks(width=0.05))
    np.savez(tmp_path / "weights.npz", **{name: v.numpy() for name, v in named_variables(one).items()})
    load_npz(named_variables(other), str(tmp_path / "weights.npz"), "--initial_weights=weights.npz")
    for mine, theirs in zip(one.trainable_variables, other.trainable_variables):
        np.testing.assert_array_equal(mine, theirs)


def test_weights_that_are_missing_or_of_another_width(tmp_path):
    narrow = named_variables(build_segmenter(Networks(width=0.05)))
    with pytest.raises(WeightsError, match="--initial_weights=none.npz: could not be read"):
        load_npz(narrow, str(tmp_path / "none.npz"), "--initial_weights=none.npz")
    values = {name: v.numpy() for name, v in named_variables(build_segmenter(Networks(width=0.1))).items()}
    np.savez(tmp_path / "wide.npz", **values)
    with pytest.raises(WeightsError, match="--initial_weights=wide.npz: segmenter/conv1_1/kernel is .*--width"):
        load_npz(narrow, str(tmp_path / "wide.npz"), "--initial_weights=wide.npz")
