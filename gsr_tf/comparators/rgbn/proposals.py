"""Proposals: the anchors that look most like regions, moved to where the regions seem to be."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.comparators.rgbn import boxes as boxes_lib

OVERLAP = 0.7
TRAINING = (12_000, 2_000)  # anchors that are looked at, proposals that are kept
TESTED = 6_000


def propose(
    anchors: tf.Tensor, scores: tf.Tensor, deltas: tf.Tensor, size: tf.Tensor, *, before: int, after: int
) -> tf.Tensor:
    """At most `after` boxes, [m, 4], of which none overlaps another by more than .7.

    Args:
        anchors: [n, 4].
        scores: [n] float32, any: the higher, the better.
        deltas: [n, 4] float32, of `boxes.encode`.
        size: [2], the picture's height and width.
        before: how many of the best anchors are looked at.
        after: how many of their boxes are kept.
    """
    best, order = tf.math.top_k(scores, tf.minimum(before, tf.shape(scores)[0]))
    boxes = boxes_lib.clip(boxes_lib.decode(tf.gather(anchors, order), tf.gather(deltas, order)), size)
    return tf.gather(boxes, tf.image.non_max_suppression(boxes, best, after, OVERLAP))
