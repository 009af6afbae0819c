"""MFCN's network: VGG-16 as FCN-8s with two decoders on one score map, for surfaces and for edges."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from gsr_tf.comparators.mfcn.settings import Network
from gsr_tf.models.convolution import Convolution, spatial_size
from gsr_tf.models.dropout import Dropout
from gsr_tf.models.keras import keras
from gsr_tf.models.normalization import MomentNormalization

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels and convolutions; each ends in a pooling by 2
STRIDE = 2 ** len(BLOCKS)  # pixels a side of one place of the score map
CLASSES = 2  # authentic and manipulated; no edge and edge
NO_EDGE_THRESHOLD = 0.5  # until a validation has chosen one


# No layer branches on a tensor: AutoGraph's look at their sources would be a good part of the time that building takes.
@tf.autograph.experimental.do_not_convert
def build_network(settings: Network) -> keras.Model:
    """The network, at random weights, its up-sampling bilinear.

    Returns:
        Model: [b, h, w, 3] network range, any size -> {"segmentation": logits [b, h, w, 2] of the surface, "boundary":
        the same of the edge}, float32, channel 1 for manipulated or edge: the names of GSR-Net's segmenter. Its
        `edge_threshold`, a scalar variable, is no weight: a validation chooses it, and it is saved with the weights.
        134,282,570 parameters at the defaults, of which 4,224 are the scales of the normalisation.
    """
    image = x = keras.Input([None, None, 3], name="image")
    pools = []
    for number, (channels, convolutions) in enumerate(BLOCKS, start=1):
        for layer in range(1, convolutions + 1):
            x = Convolution(max(1, round(channels * settings.width)), 3, name=f"conv{number}_{layer}")(x)
            x = MomentNormalization(rectified=True, name=f"conv{number}_{layer}_bn")(x)
        x = tf.nn.max_pool2d(x, 2, 2, "SAME")
        pools.append(x)
    for name, side in {"fc6": 7, "fc7": 1}.items():
        x = tf.nn.relu(Convolution(settings.fc_channels, side, name=name)(x))
        x = Dropout(settings.dropout, name=f"{name}_dropout")(x)
    score = Convolution(CLASSES, 1, name="score", dtype="float32")(x)
    surface, edge = (_decoder(score, pools, image, name) for name in ("surface", "edge"))
    network = keras.Model(image, {"segmentation": surface, "boundary": edge}, name="mfcn")
    network.edge_threshold = tf.Variable(NO_EDGE_THRESHOLD, trainable=False, name="edge_threshold")
    return network


def _decoder(score: tf.Tensor, pools: list[tf.Tensor], image: tf.Tensor, name: str) -> tf.Tensor:
    """FCN-8s: up by 2, with scores of the fourth pooling; by 2, of the third; by 8, to the picture's size."""
    x = score
    for number in (4, 3):
        pool = pools[number - 1]
        skipped = Convolution(CLASSES, 1, name=f"{name}_pool{number}", dtype="float32")(pool)
        x = BilinearUpsample(2, name=f"{name}_up{number}", dtype="float32")(x, like=pool) + skipped
    return BilinearUpsample(8, name=f"{name}_up", dtype="float32")(x, like=image)


class BilinearUpsample(keras.layers.Layer):
    """A transposed convolution, trainable, that begins as bilinear interpolation; no bias.

    The poolings round up, so a map may come out larger than what it is to be added to; it is cut at its end, where the
    poolings had padded.
    """

    def __init__(self, factor: int, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape) -> None:
        """kernel [2 factor, 2 factor, c, c]: bilinear within a channel, 0 between channels."""
        kernel = bilinear_kernel(self.factor, input_shape[-1])
        self.kernel = self.add_weight("kernel", kernel.shape, initializer=keras.initializers.Constant(kernel))
        super().build(input_shape)

    def call(self, x: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
        """x [b, h, w, c] -> [b, H, W, c], H and W those of `like`, at most `factor` times h and w."""
        (height, width), (rows, columns) = spatial_size(x), spatial_size(like)
        shape = [tf.shape(x)[0], height * self.factor, width * self.factor, x.shape[-1]]
        return tf.nn.conv2d_transpose(x, self.kernel, shape, self.factor)[:, :rows, :columns]


def bilinear_kernel(factor: int, channels: int) -> np.ndarray:
    """[2 factor, 2 factor, channels, channels] float32: a transposed convolution with it interpolates bilinearly."""
    line = 1 - np.abs(np.arange(2 * factor) - (factor - 0.5)) / factor
    return (np.outer(line, line)[..., np.newaxis, np.newaxis] * np.eye(channels)).astype(np.float32)
