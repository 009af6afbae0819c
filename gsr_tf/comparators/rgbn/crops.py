"""What lies in boxes of a feature map, as `tf.image.crop_and_resize` has it, with a gradient that repeats exactly.

That operation's own gradient lets threads add to one place at a time and loses some of what they add.
"""

from __future__ import annotations

import itertools

import tensorflow as tf


def cut(features: tf.Tensor, boxes: tf.Tensor, side: int) -> tf.Tensor:
    """Bilinear samples on a grid that reaches from edge to edge of each box; 0 where it leaves the map.

    Args:
        features: [h, w, c] float32.
        boxes: [r, 4] float32, y1, x1, y2, x2, in positions of the map.
        side: samples along each side.

    Returns:
        [r, side, side, c] float32.
    """
    height, width = tf.unstack(tf.shape(features)[:2])
    flat = tf.reshape(features, [-1, features.shape[-1]])
    rows = _along(boxes[:, 0], boxes[:, 2], height, side)
    columns = _along(boxes[:, 1], boxes[:, 3], width, side)
    corners = []
    for (y, down), (x, across) in itertools.product(rows, columns):
        weights = down[:, :, tf.newaxis] * across[:, tf.newaxis]
        corners.append(tf.gather(flat, y[:, :, tf.newaxis] * width + x[:, tf.newaxis]) * weights[..., tf.newaxis])
    return tf.add_n(corners)


def _along(first: tf.Tensor, last: tf.Tensor, length: tf.Tensor, side: int) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Of each sample along one axis the two neighbours and their weights, [r, side] int32 and float32."""
    at = first[:, tf.newaxis] + (last - first)[:, tf.newaxis] * tf.linspace(0.0, 1.0, side)
    most = tf.cast(length - 1, tf.float32)
    inside = tf.cast((at >= 0.0) & (at <= most), tf.float32)
    low = tf.clip_by_value(tf.floor(at), 0.0, most)
    share = at - low
    return [
        (tf.cast(low, tf.int32), inside * (1.0 - share)),
        (tf.cast(tf.minimum(low + 1.0, most), tf.int32), inside * share),
    ]
