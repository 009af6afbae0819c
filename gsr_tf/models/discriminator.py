"""D: the 70x70 PatchGAN that tells blended pictures from authentic ones (Section 3.1)."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.models.convolution import normal
from gsr_tf.models.keras import keras

SIZE = 256


def build_discriminator(*, width: float = 1.0) -> keras.Model:
    """PatchGAN on (K, image), without batch normalisation and biases.

    Each of the 30x30 logits sees 70x70 pixels. The release's sigmoid is left to the losses, which are stable on
    logits.

    Args:
        width: multiplies every number of channels; 1.0 is the paper's network, 2,764,800 parameters.

    Returns:
        Model: [image [b, 256, 256, 3] network range, K [b, 256, 256, 1]] -> logits [b, 30, 30, 1] float32, high
        for authentic.
    """
    base = max(1, round(64 * width))
    image = keras.Input([SIZE, SIZE, 3], name="image")
    k = keras.Input([SIZE, SIZE, 1], name="mask")
    x = tf.concat([image, k], axis=-1)
    layers = [(base, 2), (2 * base, 2), (4 * base, 2), (8 * base, 1), (1, 1)]
    for number, (channels, stride) in enumerate(layers):  # 128, 64, 32, 31, 30 pixels wide
        if number > 0:
            x = tf.nn.leaky_relu(x, 0.2)
        x = keras.layers.ZeroPadding2D(1)(x)
        x = keras.layers.Conv2D(
            channels, 4, strides=stride, use_bias=False, kernel_initializer=normal(), name=f"conv_{number}"
        )(x)
    return keras.Model([image, k], tf.cast(x, tf.float32), name="discriminator")
