"""Anchors: the boxes that proposals start from (Ren et al., Faster R-CNN, NIPS 2015, as its authors' code has them)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

STRIDE = 16  # pixels from one place of the feature map to the next
RATIOS = (0.5, 1.0, 2.0)  # height to width


def at_origin(scales: Sequence[float]) -> np.ndarray:
    """[3 n, 4] float32: about the middle of the first 16x16 pixels, ratio after ratio, in each the scales in order.

    Sides are rounded to whole pixels before they are scaled.

    Args:
        scales: n sides of the square anchor, of 16 pixels.
    """
    widths = [np.round(np.sqrt(STRIDE**2 / ratio)) for ratio in RATIOS]
    heights = [np.round(width * ratio) for width, ratio in zip(widths, RATIOS, strict=True)]
    sides = np.stack([heights, widths], -1)[:, np.newaxis] * np.asarray(scales)[:, np.newaxis]
    half = sides.reshape(-1, 2) / 2
    return np.concatenate([STRIDE / 2 - half, STRIDE / 2 + half], -1).astype(np.float32)


def everywhere(height: tf.Tensor, width: tf.Tensor, scales: Sequence[float]) -> tf.Tensor:
    """[height * width * 3 n, 4] float32: those of every place of a feature map, row after row."""
    shifts = tf.stack(tf.meshgrid(tf.range(height), tf.range(width), indexing="ij"), -1) * STRIDE
    shifts = tf.cast(tf.tile(tf.reshape(shifts, [-1, 1, 2]), [1, 1, 2]), tf.float32)
    return tf.reshape(shifts + at_origin(scales), [-1, 4])
