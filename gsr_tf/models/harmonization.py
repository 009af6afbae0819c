"""A network that harmonises, on pictures of any size."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.data.image_ops import CAFFE_MEAN_BGR, resize
from gsr_tf.models.keras import keras


def harmonized(network: keras.Model, m: tf.Tensor, k: tf.Tensor, *, half_pixel: bool = True) -> tf.Tensor:
    """H(M, K): M resized to what the network sees, its answer resized back and clipped to 0..255.

    Args:
        network: [M, K] of one size -> H(M, K), in network range.
        m: [b, h, w, 3] float32, network range.
        k: [b, h, w, 1] float32, 0 or 1.
        half_pixel: resize convention (`image_ops.resize`).

    Returns:
        [b, h, w, 3] float32, network range.
    """
    h = network(at_its_size(network, m, k, half_pixel=half_pixel), training=False)
    mean = tf.constant(CAFFE_MEAN_BGR)
    return tf.clip_by_value(resize(h, m.shape[1:3], half_pixel=half_pixel), -mean, 255.0 - mean)


def at_its_size(network: keras.Model, *pictures: tf.Tensor, half_pixel: bool = True) -> list[tf.Tensor]:
    """Pictures [b, h, w, c] at the size that the network sees."""
    return [resize(x, network.input_shape[0][1:3], half_pixel=half_pixel) for x in pictures]
