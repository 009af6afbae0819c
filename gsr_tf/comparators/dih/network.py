"""DIH's network: an encoder to a single code, and a decoder to which the encoder's levels are added."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from gsr_tf.data.image_ops import CAFFE_MEAN_BGR
from gsr_tf.models.keras import keras

CHANNELS = (64, 64, 128, 128, 256, 256, 512)  # each level halves the side; all seven make 4 pixels of 512
END = 4  # pixels a side of the last level


# No layer branches on a tensor, and AutoGraph would leave bytecode of their sources in $TMPDIR.
@tf.autograph.experimental.do_not_convert
def build_network(channels: Sequence[int], *, scene_decoder: bool = False) -> keras.Model:
    """The network, at random weights.

    Every pixel of the answer is the decoder's own, in K and around it.

    Args:
        channels: of each level; with n of them the network sees 4 * 2^n pixels a side.
        scene_decoder: whether there is a second decoder, whose features are set beside the first one's.

    Returns:
        Model: [M [b, size, size, 3] network range, K [b, size, size, 1]] -> H(M, K) [b, size, size, 3], network range,
        not clipped, float32. With the first six of `CHANNELS` 8,268,800 parameters, 14,365,312 with the scene decoder.
    """
    size = END * 2 ** len(channels)
    m, k = keras.Input([size, size, 3], name="pasted"), keras.Input([size, size, 1], name="mask")
    x = tf.concat([(m + tf.constant(CAFFE_MEAN_BGR)) / 127.5 - 1.0, k], -1)
    levels = []
    for number, width in enumerate(channels, start=1):
        x = _level(keras.layers.Conv2D, x, width, f"encoder_{number}")
        levels.append(x)
    code = keras.layers.Conv2D(2 * channels[-1], END, name="code")(x)
    scene = _decoder(code, levels[1:], "scene") if scene_decoder else []
    x = _decoder(code, levels, "decoder", scene)[-1]
    how = {"strides": 2, "padding": "same", "use_bias": False, "dtype": "float32"}
    output = keras.layers.Conv2DTranspose(3, 4, **how, name="output")(x)
    return keras.Model([m, k], (output + 1.0) * 127.5 - tf.constant(CAFFE_MEAN_BGR), name="dih")


def _decoder(
    code: tf.Tensor, levels: Sequence[tf.Tensor], name: str, beside: Sequence[tf.Tensor] = ()
) -> list[tf.Tensor]:
    """Its features from 4x4 pixels on, each the sum of what was decoded and the encoder's level of that size.

    Args:
        code: [b, 1, 1, c].
        levels: the encoder's, the largest first.
        name: the layers' names begin with it.
        beside: another decoder's features, which the next larger ones are decoded from too; may be the fewer.
    """
    x, features = code, []
    for number, level in enumerate(reversed(levels)):
        how = {} if features else {"strides": 1, "padding": "valid"}  # first from 1x1 to 4x4
        x = _level(keras.layers.Conv2DTranspose, x, level.shape[-1], f"{name}_{number}", **how) + level
        features.append(x)
        if number < len(beside):
            x = tf.concat([x, beside[number]], -1)
    return features


def _level(layer: type, x: tf.Tensor, channels: int, name: str, strides: int = 2, padding: str = "same") -> tf.Tensor:
    """A 4x4 convolution, or a transposed one, scaled and shifted, through ELU."""
    x = layer(channels, 4, strides=strides, padding=padding, use_bias=False, name=name)(x)
    return tf.nn.elu(Scale(name=f"{name}_bn")(x))


class Scale(keras.layers.Layer):
    """A scale and an offset a channel: batch normalisation by moments that stay 0 and 1, as the port has it.

    So has a network of moving averages once it is trained. The batch's or the picture's own moments would take its
    brightness and its cast away, which are what is to be found.
    """

    def build(self, input_shape) -> None:
        """gamma and beta, [c] each."""
        self.gamma = self.add_weight("gamma", [input_shape[-1]], initializer="ones")
        self.beta = self.add_weight("beta", [input_shape[-1]], initializer="zeros")
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """x [b, h, w, c] -> the same shape."""
        return x * self.gamma + self.beta
