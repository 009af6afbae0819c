"""Boxes as a map of scores: a pixel has the highest score of the boxes over it (the authors' answer to issue 17)."""

from __future__ import annotations

import tensorflow as tf


def paint(boxes: tf.Tensor, scores: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """The map of some boxes; where there is none, 0.

    All boxes' sides cut the picture into cells of one value each, so a large picture costs little more than a look-up.

    Args:
        boxes: [n, 4] float32, pixels; a pixel is in a box where its centre is.
        scores: [n] float32, at least 0.
        size: [2] int32, height and width.

    Returns:
        [h, w] float32.
    """
    in_rows, row = _cells(boxes[:, 0], boxes[:, 2], size[0])
    in_columns, column = _cells(boxes[:, 1], boxes[:, 3], size[1])
    inside = in_rows[:, :, tf.newaxis] & in_columns[:, tf.newaxis, :]
    values = tf.where(inside, scores[:, tf.newaxis, tf.newaxis], 0.0)
    cells = tf.maximum(tf.reduce_max(values, axis=0), 0.0)  # of no boxes the maximum is minus infinity
    return tf.gather(tf.gather(cells, row), column, axis=1)


def _cells(first: tf.Tensor, last: tf.Tensor, length: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Along one side: which boxes each cell is in, [n, 2 n + 1] bool, and each pixel's cell, [length]."""
    edges = tf.sort(tf.concat([first, last], 0))
    starts = tf.concat([[-float("inf")], edges], 0)  # where each cell begins; before the first edge there is one more
    inside = (starts >= first[:, tf.newaxis]) & (starts < last[:, tf.newaxis])
    centres = tf.range(tf.cast(length, tf.float32)) + 0.5
    return inside, tf.searchsorted(edges, centres, side="right")
