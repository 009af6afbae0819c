"""What turns a picture into features: a trunk for the whole picture at stride 16, a tail for the regions cut from it.

A ResNet's layers have the names of Keras's, each after its stream's: `rgb_conv2_block1_1_conv`. Its normalisation is
frozen, as in Faster R-CNN, so it must come with its weights.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from gsr_tf.comparators.slim import KERAS_EPSILON
from gsr_tf.models.keras import keras
from gsr_tf.models.normalization import MomentNormalization

CHANNELS = (64, 128, 256, 512)  # of conv2 to conv5; a block's output has four times as many
TINY_CHANNELS = (16, 32, 48, 64)


class Backbone(NamedTuple):
    """Functions of a graph that build layers; the last argument is what the layers' names begin with.

    Attributes:
        trunk: [b, h, w, 3] -> [b, h / 16, w / 16, c].
        tail: [n, 7, 7, c] -> [n, 7, 7, d], of the tiny one [n, 1, 1, d].
        channels: c.
    """

    trunk: Callable[[tf.Tensor, str], tf.Tensor]
    tail: Callable[[tf.Tensor, str], tf.Tensor]
    channels: int


def choose(name: str) -> Backbone:
    """The backbone of this name."""
    if name == "tiny":
        return Backbone(_tiny_trunk, _tiny_tail, TINY_CHANNELS[-1])
    conv4_blocks = {"resnet101": 23, "resnet50": 6}[name]
    return Backbone(functools.partial(_resnet_trunk, conv4_blocks), _resnet_tail, 4 * CHANNELS[2])


def _resnet_trunk(conv4_blocks: int, image: tf.Tensor, prefix: str) -> tf.Tensor:
    """conv1 to conv4 of a ResNet (He et al., CVPR 2016); the colours' first two stay as they come, as in RGB-N."""
    fixed = prefix == "rgb_"
    x = tf.pad(image, [[0, 0], [3, 3], [3, 3], [0, 0]])
    x = _convolved(x, CHANNELS[0], 7, f"{prefix}conv1", 2, fixed, padding="valid")
    x = tf.nn.max_pool2d(tf.pad(tf.nn.relu(x), [[0, 0], [1, 1], [1, 1], [0, 0]]), 3, 2, "VALID")
    x = _stage(x, CHANNELS[0], 3, f"{prefix}conv2", 1, fixed)
    x = _stage(x, CHANNELS[1], 4, f"{prefix}conv3", 2)
    return _stage(x, CHANNELS[2], conv4_blocks, f"{prefix}conv4", 2)


def _resnet_tail(crops: tf.Tensor, prefix: str) -> tf.Tensor:
    """conv5, at stride 1."""
    return _stage(crops, CHANNELS[3], 3, f"{prefix}conv5", 1)


def _stage(x: tf.Tensor, channels: int, blocks: int, name: str, stride: int, fixed: bool = False) -> tf.Tensor:
    for number in range(1, blocks + 1):
        x = _block(x, channels, f"{name}_block{number}", stride if number == 1 else 1, fixed, first=number == 1)
    return x


def _block(x: tf.Tensor, channels: int, name: str, stride: int, fixed: bool, *, first: bool) -> tf.Tensor:
    shortcut = _convolved(x, 4 * channels, 1, f"{name}_0", stride, fixed) if first else x
    x = tf.nn.relu(_convolved(x, channels, 1, f"{name}_1", stride, fixed))
    x = tf.nn.relu(_convolved(x, channels, 3, f"{name}_2", 1, fixed))
    return tf.nn.relu(shortcut + _convolved(x, 4 * channels, 1, f"{name}_3", 1, fixed))


def _convolved(
    x: tf.Tensor, channels: int, side: int, name: str, stride: int, fixed: bool, padding: str = "same"
) -> tf.Tensor:
    """A convolution and its frozen normalisation."""
    x = keras.layers.Conv2D(channels, side, stride, padding, name=f"{name}_conv", trainable=not fixed)(x)
    return keras.layers.BatchNormalization(epsilon=KERAS_EPSILON, name=f"{name}_bn", trainable=False)(x)


def _tiny_trunk(image: tf.Tensor, prefix: str) -> tf.Tensor:
    """Four convolutions of stride 2, normalised by each picture's moments: it learns from random weights."""
    x = image
    for number, channels in enumerate(TINY_CHANNELS, start=1):
        x = keras.layers.Conv2D(channels, 3, 2, "same", name=f"{prefix}conv{number}_conv")(x)
        x = MomentNormalization(rectified=True, name=f"{prefix}conv{number}_bn")(x)
    return x


def _tiny_tail(crops: tf.Tensor, prefix: str) -> tf.Tensor:
    return keras.layers.Conv2D(TINY_CHANNELS[-1], 7, activation="relu", name=f"{prefix}conv5_conv")(crops)
