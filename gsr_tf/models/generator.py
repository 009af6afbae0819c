"""G: the U-Net that blends a pasted region into its new surroundings (Section 3.1)."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.data.image_ops import CAFFE_MEAN_BGR
from gsr_tf.models.convolution import normal
from gsr_tf.models.keras import keras

SIZE = 256  # Section 4.1: eight halvings lead to 1x1


def build_generator(*, width: float = 1.0) -> keras.Model:
    """U-Net-256 on (M, K).

    Eight 4x4 convolutions of stride 2 down, eight transposed ones up, skips between them. The paper says "based on
    U-Net"; as in the release there is no normalisation, no dropout and no bias, and every output pixel is the
    network's own (nothing of T is pasted back).

    Args:
        width: multiplies every number of channels; 1.0 is the paper's network, 54,405,120 parameters.

    Returns:
        Model: [M [b, 256, 256, 3] network range, K [b, 256, 256, 1]] -> G(K, M) [b, 256, 256, 3], network range
        (0-255 minus the mean), float32.
    """
    base = max(1, round(64 * width))
    widths = [base * multiple for multiple in (1, 2, 4, 8, 8, 8, 8, 8)]

    m = keras.Input([SIZE, SIZE, 3], name="pasted")
    k = keras.Input([SIZE, SIZE, 1], name="mask")
    x = tf.concat([m, k], axis=-1)
    skips = []
    for number, channels in enumerate(widths, start=1):  # 128, 64, 32, 16, 8, 4, 2, 1 pixels wide
        if number > 1:
            x = tf.nn.leaky_relu(x, 0.2)
        x = _convolution(keras.layers.Conv2D, channels, f"encoder_{number}")(x)
        skips.append(x)

    outputs = [3, *widths[:-1]]
    for number in range(8, 0, -1):  # 2, 4, 8, 16, 32, 64, 128, 256 pixels wide
        x = x if number == 8 else tf.concat([x, skips[number - 1]], axis=-1)
        x = _convolution(keras.layers.Conv2DTranspose, outputs[number - 1], f"decoder_{number}")(tf.nn.relu(x))

    pixels = (tf.tanh(tf.cast(x, tf.float32)) / 2.0 + 0.5) * 255.0
    return keras.Model([m, k], pixels - tf.constant(CAFFE_MEAN_BGR), name="generator")


def _convolution(layer: type, channels: int, name: str) -> keras.layers.Layer:
    return layer(channels, 4, strides=2, padding="same", use_bias=False, kernel_initializer=normal(), name=name)
