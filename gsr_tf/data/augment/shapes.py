"""A region of no meaning takes the place of an annotated object.

The paper and the release paste annotated objects alone, and a network can learn that people and dogs are pasted. What
is manipulated in the wild is as often a piece of ground, sky or wall, cut out as a rectangle, an ellipse or anything
between; off unless asked for.
"""

from __future__ import annotations

import math

import tensorflow as tf

from gsr_tf.data.augment.log_uniform import log_uniform

RANDOM_NUMBERS = 6  # that `superellipse` takes
AREA = (0.02, 0.2)  # of the picture
ASPECT = (0.5, 2.0)
EXPONENT = (1.0, 16.0)  # 1: a rhombus, 2: an ellipse, 16: a rectangle with rounded corners


def superellipse(shape: tf.Tensor, random: tf.Tensor) -> tf.Tensor:
    """K as a turned superellipse, |x/a|^p + |y/b|^p <= 1, anywhere in the picture.

    Args:
        shape: [2] int32, height and width, pixels.
        random: [RANDOM_NUMBERS] float32 in [0, 1): the area before the border cuts it, a to b, p, the angle, and the
            centre's row and column; of area, aspect and exponent all ratios are equally likely.

    Returns:
        [h, w, 1] uint8, 255 in the region and 0 elsewhere.
    """
    height, width = tf.unstack(tf.cast(shape, tf.float32))
    area, aspect, p = (log_uniform(bounds, random[n]) for n, bounds in enumerate((AREA, ASPECT, EXPONENT)))
    # Its area is 4ab G(1 + 1/p)^2 / G(1 + 2/p), G being the gamma function.
    full = 4.0 * tf.exp(2.0 * tf.math.lgamma(1.0 + 1.0 / p) - tf.math.lgamma(1.0 + 2.0 / p))
    a = tf.sqrt(area * height * width * aspect / full)
    angle = math.pi * random[3]
    y = tf.range(height)[:, tf.newaxis] - random[4] * (height - 1.0)
    x = tf.range(width)[tf.newaxis] - random[5] * (width - 1.0)
    along = tf.abs(tf.cos(angle) * x + tf.sin(angle) * y) / a
    across = tf.abs(tf.cos(angle) * y - tf.sin(angle) * x) / (a / aspect)
    inside = along**p + across**p <= 1.0
    return tf.where(inside, tf.constant(255, tf.uint8), 0)[..., tf.newaxis]
