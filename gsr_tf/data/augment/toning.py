"""The tone and colour cast of a picture, changed.

The paper and the release mirror pictures and leave their colours alone. With few photographs to train on, the same
ones come again in the same colours; off unless asked for.
"""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.data.augment.log_uniform import log_uniform

RANDOM_NUMBERS = 3  # that `gamma_curves` takes


def gamma_curves(gamma: float, random: tf.Tensor) -> tf.Tensor:
    """One curve x^g a channel, x in [0, 1], g between 1 / gamma and gamma, all ratios equally likely.

    Args:
        gamma: the largest exponent, at least 1.
        random: [RANDOM_NUMBERS] float32 in [0, 1), one a channel.

    Returns:
        [256, 3] uint8: what each value of each channel becomes.
    """
    exponents = log_uniform((1.0 / gamma, gamma), random)
    values = tf.range(256, dtype=tf.float32)[:, tf.newaxis] / 255.0
    return tf.saturate_cast(tf.round(255.0 * values**exponents), tf.uint8)


def toned(picture: tf.Tensor, curves: tf.Tensor) -> tf.Tensor:
    """[h, w, 3] uint8 through `curves` [256, 3] uint8, channel by channel."""
    channels = [tf.gather(curves[:, n], tf.cast(picture[..., n], tf.int32)) for n in range(3)]
    return tf.stack(channels, axis=-1)
