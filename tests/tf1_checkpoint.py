"""Checkpoints as TensorFlow 1's Saver wrote them."""

import tensorflow as tf


def write_tf1_checkpoint(prefix, values):
    """Writes float32 variables by name, by the operation that Saver runs; returns the prefix as text."""
    tensors = [tf.constant(value, tf.float32) for value in values.values()]
    tf.raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=list(values), shape_and_slices=[""] * len(values), tensors=tensors
    )
    return str(prefix)
