"""Dropout that a resumed run continues exactly."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.models.keras import keras


class Dropout(keras.layers.Layer):
    """Keras's dropout, but its random state is a variable that checkpoints hold.

    Keras's own draws from the process: a resumed run would drop what the first steps dropped.
    """

    def __init__(self, rate: float, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        seed = tf.random.uniform([], maxval=tf.int64.max, dtype=tf.int64)  # from the run's seed, another a layer
        self.random = tf.random.Generator.from_seed(seed)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """[...] float -> the same; in training a share `rate` of it is 0, the rest scaled to keep the mean."""
        if not training or not self.rate:
            return x
        kept = self.random.uniform(tf.shape(x)) >= self.rate
        # A choice between two scalars would take a GPU ten times as long.
        return x * (tf.cast(kept, x.dtype) * tf.constant(1.0 / (1.0 - self.rate), x.dtype))
