"""Boxes: [n, 4] float32, top, left, bottom, right, in pixels; a box ends where the next pixel begins."""

from __future__ import annotations

import cv2
import numpy as np
import tensorflow as tf

_LEAST = 1e-3  # pixels; the logarithm of an empty box's side would not be finite
SPECK = 16  # pixels; a smaller component is what resizing leaves of a mask's rim, and no region
_LARGEST = float(np.log(1000 / 16))  # of a decoded logarithm of sides: beyond it a box leaves every picture


def encode(boxes: tf.Tensor, truths: tf.Tensor) -> tf.Tensor:
    """How truths lie relative to boxes: shifts of the centres in the box's sides, logarithms of the sides' ratios.

    Args:
        boxes: [n, 4].
        truths: [n, 4].

    Returns:
        [n, 4]: dy, dx, dh, dw; finite, but without meaning where either box is empty.
    """
    (centre, size), (truth_centre, truth_size) = _centred(boxes), _centred(truths)
    size, truth_size = tf.maximum(size, _LEAST), tf.maximum(truth_size, _LEAST)
    return tf.concat([(truth_centre - centre) / size, tf.math.log(truth_size / size)], -1)


def decode(boxes: tf.Tensor, deltas: tf.Tensor) -> tf.Tensor:
    """The inverse of `encode`: boxes moved by deltas, [n, 4] each."""
    centre, size = _centred(boxes)
    centre = centre + deltas[:, :2] * size
    half = size * tf.exp(tf.minimum(deltas[:, 2:], _LARGEST)) / 2
    return tf.concat([centre - half, centre + half], -1)


def _centred(boxes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Centres and sides, [n, 2] each."""
    size = boxes[:, 2:] - boxes[:, :2]
    return boxes[:, :2] + size / 2, size


def clip(boxes: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Boxes cut to a picture of `size`, [2] height and width."""
    limit = tf.tile(tf.cast(size, tf.float32), [2])
    return tf.clip_by_value(boxes, 0.0, limit)


def overlaps(boxes: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Intersection over union of each of boxes [n, 4] with each of others [m, 4]: [n, m] in [0, 1]."""
    first = tf.maximum(boxes[:, tf.newaxis, :2], others[:, :2])
    last = tf.minimum(boxes[:, tf.newaxis, 2:], others[:, 2:])
    common = tf.reduce_prod(tf.maximum(last - first, 0.0), -1)
    union = _areas(boxes)[:, tf.newaxis] + _areas(others) - common
    return tf.math.divide_no_nan(common, union)


def _areas(boxes: tf.Tensor) -> tf.Tensor:
    return tf.reduce_prod(boxes[:, 2:] - boxes[:, :2], -1)


def tight(mask: np.ndarray) -> np.ndarray:
    """[n, 4] float32: the smallest upright box about each connected component of a mask.

    Components of fewer than 16 pixels are passed over where there are larger ones.

    Args:
        mask: [h, w], nonzero where manipulated; neighbours may touch at a corner.
    """
    _, _, found, _ = cv2.connectedComponentsWithStats((mask > 0).astype(np.uint8), connectivity=8)
    left, top, width, height, area = found[1:].T  # the first one is the background
    boxes = np.stack([top, left, top + height, left + width], -1).astype(np.float32)
    large = area >= SPECK
    return boxes[large] if large.any() else boxes


def filled(x: tf.Tensor, count: int) -> tf.Tensor:
    """[n, ...] -> [count, ...], zeros after the n, which are at most `count`.

    Of a number that is known TensorFlow plans crops and convolutions once.
    """
    more = [[0, count - tf.shape(x)[0]], *[[0, 0]] * (x.shape.rank - 1)]
    return tf.ensure_shape(tf.pad(x, more), [count, *x.shape[1:]])


def truths(k: tf.Tensor) -> tf.Tensor:
    """`tight` in a graph: K [h, w, 1] float32 -> [n, 4] float32."""
    found = tf.numpy_function(lambda mask: tight(mask[..., 0]), [k], tf.float32, stateful=False)
    return tf.ensure_shape(found, [None, 4])
