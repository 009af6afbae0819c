"""The segmentation network: VGG-16 DeepLab with a boundary branch (Section 3.2, Figure 2c)."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from gsr_tf.models.convolution import Convolution, ConvolutionToNormalize, DilatedConvolution, normal, without_gradients
from gsr_tf.models.dropout import Dropout
from gsr_tf.models.heads import Upsample, UpsampledHead
from gsr_tf.models.keras import keras
from gsr_tf.models.networks import Networks
from gsr_tf.models.normalization import MomentNormalization


class VGGBlock(NamedTuple):
    """One block of DeepLab-LargeFOV's VGG-16: its convolutions, and the max pooling behind it."""

    channels: int
    convolutions: int
    dilation: int
    pool_stride: int


VGG16 = (
    VGGBlock(64, 2, 1, 2),
    VGGBlock(128, 2, 1, 2),
    VGGBlock(256, 3, 1, 2),
    VGGBlock(512, 3, 1, 1),
    VGGBlock(512, 3, 2, 1),
)
FC_CHANNELS, FC6_DILATION = 1024, 12
BOUNDARY_BLOCKS = (2, 3, 4)  # the release's choice; the paper says "intermediate features"
CLASSES = 2  # authentic, manipulated


# No layer branches on a tensor: AutoGraph's look at their sources would be two fifths of the time that building takes.
@tf.autograph.experimental.do_not_convert
@without_gradients()  # to build is to ask each layer for its shapes
def build_segmenter(networks: Networks, *, kernel_initializer: str = "glorot_uniform") -> keras.Model:
    """DeepLab-LargeFOV with batch normalisation and, by default, boundary branch and fusion.

    Stride 8: a 300x300 picture has 38x38 features, whose projection to two classes is interpolated back. The boundary
    branch reads the upsampled outputs of VGG blocks 2, 3 and 4; its logits, concatenated with the upsampled
    segmentation logits, give the final prediction.

    Args:
        networks: the settings of all three networks.
        kernel_initializer: of VGG, fc6 and fc7: Xavier (the release), or "zeros" where values are assigned at once:
            20 million random numbers would be an eighth of the time until a shipped model's first answer.

    Returns:
        Model: [b, h, w, 3] network range, any size -> {"segmentation": logits [b, h, w, 2], "boundary": the same;
        absent without the branch}, float32, channel 1 for manipulated or boundary. At width 1: 20,496,200
        parameters with 1x1 heads, 20,553,920 with 4x4 ones.
    """
    image = keras.Input([None, None, 3], name="image")
    x, blocks = _vgg16(image, networks.width, kernel_initializer)
    x = _large_field_of_view(x, networks.width, networks.dropout, kernel_initializer)

    side, half_pixel = networks.head_kernel, networks.half_pixel
    logits = UpsampledHead(CLASSES, side, name="interior_head")([x], like=x)
    logits = Upsample(half_pixel=half_pixel, dtype="float32", name="interior_upsample")(logits, like=image)
    if not networks.boundary_branch:
        return keras.Model(image, {"segmentation": logits}, name="segmenter")

    edges = [blocks[number - 1] for number in BOUNDARY_BLOCKS]
    edges = UpsampledHead(CLASSES, side, half_pixel=half_pixel, name="boundary_head")(edges, like=image)
    fuse = {"use_bias": False, "kernel_initializer": normal(), "padding": "same", "dtype": "float32"}
    fused = keras.layers.Conv2D(CLASSES, side, name="fusion_head", **fuse)(tf.concat([logits, edges], -1))
    return keras.Model(image, {"segmentation": fused, "boundary": edges}, name="segmenter")


def _vgg16(x: tf.Tensor, width: float, kernel_initializer: str) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """VGG-16 with batch normalisation between convolution and ReLU; its end, and each block before pooling."""
    blocks = []
    for number, block in enumerate(VGG16, start=1):
        channels = max(1, round(block.channels * width))
        for layer in range(1, block.convolutions + 1):
            name = f"conv{number}_{layer}"
            settings = {"dilation_rate": block.dilation, "kernel_initializer": kernel_initializer, "name": name}
            x = ConvolutionToNormalize(channels, 3, **settings)(x)
            x = MomentNormalization(rectified=True, name=f"{name}_bn")(x)
        blocks.append(x)
        x = tf.nn.max_pool2d(x, 3, block.pool_stride, "SAME")
    return tf.nn.avg_pool2d(x, 3, 1, "SAME"), blocks


def _large_field_of_view(x: tf.Tensor, width: float, dropout: float, kernel_initializer: str) -> tf.Tensor:
    """DeepLab's fc6 (3x3, dilation 12) and fc7 (1x1), with dropout; no normalisation (the release)."""
    channels = max(1, round(FC_CHANNELS * width))
    initial = {"kernel_initializer": kernel_initializer}
    x = tf.nn.relu(DilatedConvolution(channels, FC6_DILATION, **initial, name="fc6")(x))
    x = Dropout(dropout, name="fc6_dropout")(x)
    x = tf.nn.relu(Convolution(channels, 1, **initial, name="fc7")(x))
    return Dropout(dropout, name="fc7_dropout")(x)


def manipulation_probability(segmenter: keras.Model, image: tf.Tensor) -> tf.Tensor:
    """Each pixel's probability of being manipulated: softmax of the final logits (Section 3.2, inference).

    Args:
        segmenter: from `build_segmenter`.
        image: [b, h, w, 3] float32, network range.

    Returns:
        [b, h, w, 1] float32 in [0, 1]. Each picture is normalised by its own moments.
    """
    return tf.nn.softmax(segmenter(image, training=False)["segmentation"])[..., 1:]


def predicted_boundary(logits: tf.Tensor) -> tf.Tensor:
    """P of the boundary's logits [b, h, w, 2]: [b, h, w, 1] float32, 1 where the boundary's is the larger."""
    return tf.cast(logits[..., 1:] > logits[..., :1], tf.float32)


def log_odds(logits: tf.Tensor) -> tf.Tensor:
    """[..., 1]: of the second of two classes, as manipulation or a boundary, from the logits of both [..., 2]."""
    of_first, of_second = tf.unstack(logits, axis=-1)  # whose gradient is one operation; of slices it is five
    return tf.expand_dims(of_second - of_first, -1)
