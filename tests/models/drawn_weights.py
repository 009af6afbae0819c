"""Weights by a rule, at which every part of a network shows in what it gives."""

import zlib

import numpy as np

from gsr_tf.models.weights import assign, named_variables


def give_weights(network) -> None:
    """Nothing saturates, no bias is zero, and K counts for as much as the pixels: drawn by each variable's name."""
    variables = named_variables(network)
    assign(variables, {name: _drawn(name, tuple(v.shape)) for name, v in variables.items()}, "drawn")


def _drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    z = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    if not name.endswith("kernel"):
        return 0.2 * z + name.endswith("gamma")
    z *= np.sqrt(2 / np.prod(shape[:3]))
    if name in ("generator/encoder_1/kernel", "discriminator/conv_0/kernel"):
        z[:, :, :3] /= 100  # of blue, green and red, whose values are some hundred; K's are 0 and 1
    return z
