"""Weights by name: what each variable is called outside Keras, and weights from elsewhere into the networks.

Canonical names are `network/layer/weight`: `segmenter/conv1_1/kernel`, `segmenter/conv1_1/bn_gamma`,
`generator/encoder_1/kernel`, `discriminator/conv_0/kernel`. Kernels are [height, width, in, out], a decoder's
[height, width, out, in].
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gsr_tf.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

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


def average_with_npz(network: keras.Model, paths: Sequence[str]) -> None:
    """Each weight becomes the mean of its own value and those of the files; errors as `load_npz`.

    Of weights that training went on from and those it came to, the mean does better on other data than either
    (Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022); so does that of several runs from one start
    (Wortsman et al., Model soups, ICML 2022).

    Args:
        network: any of the networks.
        paths: .npz files of its weights by name, as --average_with names them.
    """
    variables = named_variables(network)
    total = {name: variable.numpy() for name, variable in variables.items()}
    for path in paths:
        source = f"--average_with={path}"
        values = read_npz(path, source)
        _require(variables, values, source)
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
