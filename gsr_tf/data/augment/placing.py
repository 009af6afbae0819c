"""A region is turned and scaled before it is pasted.

The paper and the release paste S's region at its own size and angle. A region that was made to fit its new place was
resampled, in the wild as here; off unless asked for.
"""

from __future__ import annotations

import math

import tensorflow as tf

from gsr_tf.data.augment.log_uniform import log_uniform
from gsr_tf.data.augment.projective import projective

RANDOM_NUMBERS = 2  # that `placed` takes


def placed(
    source: tuple[tf.Tensor, ...], scale: tuple[float, float], rotation: float, random: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """S's layers turned and scaled about their centre; what comes from outside the raster is mirrored, K's is 0.

    Args:
        source: S [h, w, 3], K [h, w, 1] and maybe S's original [h, w, 3], uint8.
        scale: the factor is drawn between these two, all ratios equally likely.
        rotation: the angle is drawn between minus and plus so many degrees, counter-clockwise.
        random: [RANDOM_NUMBERS] float32 in [0, 1), which decides both.

    Returns:
        The same, S bilinear, K by its nearest pixel.
    """
    factor = log_uniform(scale, random[0])
    inverse = _about_centre(tf.shape(source[0]), factor, (2.0 * random[1] - 1.0) * rotation * math.pi / 180)
    return tuple(_transform(layer, inverse) for layer in source)


def _about_centre(shape: tf.Tensor, factor: tf.Tensor, angle: tf.Tensor) -> tf.Tensor:
    """[8]: from a pixel's place after scaling and turning to its place before."""
    y, x = tf.unstack((tf.cast(shape[:2], tf.float32) - 1.0) / 2.0)
    cos, sin = tf.cos(angle) / factor, tf.sin(angle) / factor
    return tf.stack([cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y, 0.0, 0.0])


def _transform(layer: tf.Tensor, inverse: tf.Tensor) -> tf.Tensor:
    how = ("nearest", "constant") if layer.shape[-1] == 1 else ("bilinear", "reflect")
    return tf.cast(tf.round(projective(tf.cast(layer, tf.float32), inverse, *how)), tf.uint8)
