"""What the noise stream sees: residues of three filters of the steganalysis rich model."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

_SQUARE = np.array(
    [[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]], np.float32
)
_SMALL = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]], np.float32)
_LINE = np.array([[1, -2, 1]], np.float32)


def kernels() -> np.ndarray:
    """[5, 5, 3, 3] float32: three filters, each the same on all colours, which are summed; every filter sums to 0."""
    filters = [_SQUARE / 12, np.pad(_SMALL, 1) / 4, np.pad(_LINE, [(2, 2), (1, 1)]) / 2]
    return np.repeat(np.stack(filters, axis=-1)[:, :, np.newaxis], 3, axis=2)


def noise(image: tf.Tensor) -> tf.Tensor:
    """[b, h, w, 3] float32 in any range of levels -> [b, h, w, 3] residues; beyond the border the picture is 0."""
    return tf.nn.conv2d(image, tf.constant(kernels()), 1, "SAME")
