"""A picture moved by a projective transform: by TensorFlow Addons where it is installed, else by TensorFlow alone.

Addons is at its end of life and fits no TensorFlow after 2.15. Both ways end in the same operation: equal numbers.
"""

from __future__ import annotations

import tensorflow as tf


def projective(image: tf.Tensor, inverse: tf.Tensor, interpolation: str, fill_mode: str) -> tf.Tensor:
    """What `image` looks like after the move, on a raster of the same size.

    Args:
        image: [h, w, c] float32.
        inverse: [8] float32, a0 a1 a2 b0 b1 b2 c0 c1: the pixel at (x, y) after the move comes from
            ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k) before it, k = c0 x + c1 y + 1.
        interpolation: "nearest" or "bilinear".
        fill_mode: what lies outside the raster: "constant" (zero) or "reflect".

    Returns:
        [h, w, c] float32.
    """
    try:
        from tensorflow_addons.image import transform
    except ImportError:
        moved = tf.raw_ops.ImageProjectiveTransformV3(
            images=image[tf.newaxis],
            transforms=inverse[tf.newaxis],
            output_shape=tf.shape(image)[:2],
            fill_value=0.0,
            interpolation=interpolation.upper(),
            fill_mode=fill_mode.upper(),
        )
        return tf.ensure_shape(moved[0], image.shape)
    return tf.ensure_shape(transform(image, inverse, interpolation, fill_mode), image.shape)
