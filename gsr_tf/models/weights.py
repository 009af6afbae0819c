"""Weights by name: what each variable is called outside Keras, and weights from elsewhere into the networks.

Canonical names are `network/layer/weight`: `segmenter/conv1_1/kernel`, `segmenter/conv1_1/bn_gamma`,
`generator/encoder_1/kernel`, `discriminator/conv_0/kernel`. Kernels are [height, width, in, out], a decoder's
[height, width, out, in].
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from gsr_tf.errors import UserError
from gsr_tf.models.keras import keras


class WeightsError(UserError):
    """Weights that do not fit; the message says which and where to get the right ones."""


def named_variables(network: keras.Model) -> dict[str, tf.Variable]:
    """{canonical name: trainable variable} of one network."""
    names = (re.sub(r"_bn/", "/bn_", v.name.split(":")[0]) for v in network.trainable_variables)
    return {f"{network.name}/{name}": v for name, v in zip(names, network.trainable_variables)}


def assign(variables: Mapping[str, tf.Variable], values: Mapping[str, np.ndarray], source: str) -> None:
    """Gives every variable its value.

    Args:
        variables: by canonical name.
        values: by the same names; others are ignored.
        source: what the values come from, for the message.

    Raises:
        WeightsError: a value is missing or of another shape; nothing has been assigned then.
    """
    _require(variables, values, source)
    for name, variable in variables.items():
        variable.assign(values[name].astype(np.float32))


def _require(variables: Mapping[str, tf.Variable], values: Mapping[str, np.ndarray], source: str) -> None:
    for name, variable in variables.items():
        if name not in values:
            raise WeightsError(f"{source}: no weights for {name} {tuple(variable.shape)}")
        if tuple(values[name].shape) != tuple(variable.shape):
            raise WeightsError(
                f"{source}: {name} is {tuple(values[name].shape)}, the network has {tuple(variable.shape)}; "
                "the network's settings, as --width, must be those of the weights"
            )


def load_npz(variables: Mapping[str, tf.Variable], path: str, source: str) -> None:
    """Gives every variable its value from an .npz of arrays by canonical name.

    Args:
        variables: by canonical name.
        path: the file.
        source: what named it, for the messages.

    Raises:
        WeightsError: no such file, damaged, or weights missing or of another shape.
    """
    assign(variables, read_npz(path, source), source)


def average_with_npz(network: keras.Model, paths: Sequence[str], flag: str) -> None:
    """Each weight becomes the mean of its own value and those of the files; errors as `load_npz`.

    Of weights that training went on from and those it came to, the mean does better on other data than either
    (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022); so does that of several runs from one start
    (Wortsman et al., Model soups, ICML 2022).

    Args:
        network: any of the networks.
        paths: .npz files of its weights by name.
        flag: what named them, for errors.
    """
    variables = named_variables(network)
    total = {name: variable.numpy() for name, variable in variables.items()}
    for path in paths:
        values = read_npz(path, f"{flag}={path}")
        _require(variables, values, f"{flag}={path}")
        total = {name: value + values[name].astype(np.float32) for name, value in total.items()}
    for name, variable in variables.items():
        variable.assign(total[name] / (1 + len(paths)))


def read_npz(path: str, source: str) -> dict[str, np.ndarray]:
    """The arrays of a file by name; raises WeightsError, naming `source`, where it is missing or damaged."""
    try:
        with np.load(path) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception as error:  # a missing or damaged file
        raise WeightsError(f"{source}: could not be read ({error}); expected an .npz of weights by name") from error


def release_name(name: str) -> tuple[str, str]:
    """Where the release's TF1 checkpoint keeps a canonical name: (first scope, end of the name).

    Its scope `discriminator` is the segmenter; its `discriminator1` the discriminator.
    """
    network, layer, weight = name.split("/")
    if network == "generator":
        return "generator", f"{layer}/{'conv' if layer.startswith('encoder') else 'deconv'}/filter"
    if network == "discriminator":
        return "discriminator1", f"{layer.replace('conv', 'encoder')}/conv/filter"
    heads = {"boundary_head": "fc8_voc12_edge", "interior_head": "fc8_voc12", "fusion_head": "fc9_voc12"}
    if layer in heads:
        return "discriminator", f"{heads[layer]}/filter"
    if weight.startswith("bn_"):
        block, number = re.fullmatch(r"conv(\d)_(\d)", layer).groups()
        return "discriminator", f"conv{block}_batchnorm{number}/{'scale' if weight == 'bn_gamma' else 'beta'}"
    return "discriminator", f"{layer}/{'w' if weight == 'kernel' else 'b'}"


def load_release_checkpoint(networks: Iterable[keras.Model], path: str) -> None:
    """Fills networks from a TF1 checkpoint of the authors' training script.

    Args:
        networks: any of generator, discriminator, segmenter (with 4x4 heads), at width 1.
        path: prefix of the checkpoint, without `.index`.

    Raises:
        WeightsError: not a checkpoint, or weights missing or of another shape.
    """
    source = f"--release_checkpoint={path}"
    reader = open_tf1_checkpoint(path, source)
    stored = [name for name in reader.get_variable_to_shape_map() if not re.search(r"/Adam(_1)?$", name)]
    for network in networks:
        variables = named_variables(network)
        found = {}
        for name in variables:
            scope, end = release_name(name)
            matches = [s for s in stored if s.startswith(f"{scope}/") and s.endswith(f"/{end}")]
            if len(matches) == 1:
                found[name] = reader.get_tensor(matches[0])
        assign(variables, found, source)


def open_tf1_checkpoint(path: str, source: str) -> tf.train.CheckpointReader:
    """A reader of the checkpoint with this prefix; raises WeightsError, naming `source`, when there is none."""
    try:
        return tf.train.load_checkpoint(path)
    except (tf.errors.OpError, ValueError) as error:
        raise WeightsError(f"{source}: not a TensorFlow checkpoint (give its prefix, without .index)") from error
