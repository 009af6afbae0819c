"""RGB-N's losses: those of Faster R-CNN. Tensors in, scalars out."""

from __future__ import annotations

import tensorflow as tf


def smooth_l1(difference: tf.Tensor, sigma: float) -> tf.Tensor:
    """[n]: summed over the last axis, quadratic where below 1 / sigma^2 and linear beyond."""
    size, bend = tf.abs(difference), 1.0 / sigma**2
    return tf.reduce_sum(tf.where(size < bend, size**2 / (2.0 * bend), size - bend / 2.0), -1)


def class_loss(logits: tf.Tensor, label: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
    """Mean softmax cross entropy over the chosen; 0 where none is.

    Args:
        logits: [n, 2] float32.
        label: [n] bool.
        chosen: [n] bool.
    """
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(label, tf.int32), logits)
    return _mean(entropy, chosen, chosen)


def box_loss(deltas: tf.Tensor, wanted: tf.Tensor, positive: tf.Tensor, chosen: tf.Tensor, sigma: float) -> tf.Tensor:
    """Smooth L1 summed over the positive, divided by the number of the chosen; 0 where none is.

    Args:
        deltas: [n, 4] float32, predicted.
        wanted: [n, 4] float32; read where positive.
        positive: [n] bool.
        chosen: [n] bool.
        sigma: of `smooth_l1`.
    """
    return _mean(smooth_l1(deltas - wanted, sigma), positive, chosen)


def _mean(values: tf.Tensor, counted: tf.Tensor, among: tf.Tensor) -> tf.Tensor:
    total = tf.reduce_sum(tf.where(counted, values, 0.0))
    return tf.math.divide_no_nan(total, tf.reduce_sum(tf.cast(among, tf.float32)))
