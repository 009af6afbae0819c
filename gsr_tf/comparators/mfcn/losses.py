"""MFCN's loss: cross entropies in which both classes weigh the same. Tensors in, scalars out."""

from __future__ import annotations

import tensorflow as tf


def class_weights(label: tf.Tensor) -> tf.Tensor:
    """[2] float32: mean(count) / count of each class in the batch, both 1 where a class is absent.

    Of two classes the mean is the median: this is the median-frequency balancing of Eigen and Fergus (ICCV 2015).

    Args:
        label: [b, h, w, 1] float32, 0 or 1; of several replicas each has its share of the batch.
    """
    ones = tf.reduce_sum(label)
    counts = tf.stack([tf.cast(tf.size(label), tf.float32) - ones, ones])
    counts = tf.distribute.get_replica_context().all_reduce("sum", counts)
    return tf.where(tf.reduce_all(counts > 0), tf.math.divide_no_nan(tf.reduce_mean(counts), counts), tf.ones([2]))


def balanced_cross_entropy(logits: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
    """Mean over the pixels of their softmax cross entropy times their class's weight.

    Args:
        logits: [b, h, w, 2] float32.
        label: [b, h, w, 1] float32, 0 or 1.

    Returns:
        Scalar; log 2 = 0.69 for equal logits, whatever the label.
    """
    label_ = tf.cast(label[..., 0], tf.int32)
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(label_, logits)
    return tf.reduce_mean(tf.gather(class_weights(label), label_) * entropy)
