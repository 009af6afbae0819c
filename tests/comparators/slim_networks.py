"""TF-Slim's ResNets in plain operations, as its documentation describes them, on weights by their names there."""

import numpy as np
import tensorflow as tf


class Weights(dict):
    """{name: value}; what is asked for the first time is drawn."""

    def __init__(self):
        super().__init__()
        self._random = np.random.default_rng(0)

    def kernel(self, name, *shape):
        if name not in self:
            self[name] = (self._random.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1]))).astype(np.float32)
        return self[name]

    def between(self, name, channels, low, high):
        if name not in self:
            self[name] = self._random.uniform(low, high, channels).astype(np.float32)
        return self[name]


def convolution(weights, x, scope, channels, side, stride=1, bias=False):
    """Zeros are added to both sides alike, whatever the stride; then it is a convolution without padding."""
    before, after = (side - 1) // 2, side // 2
    x = tf.pad(x, [[0, 0], [before, after], [before, after], [0, 0]])
    x = tf.nn.conv2d(x, weights.kernel(f"{scope}/weights", side, side, x.shape[-1], channels), stride, "VALID")
    return x + weights.between(f"{scope}/biases", channels, -0.5, 0.5) if bias else x


def dense(weights, x, scope, channels):
    kernel = weights.kernel(f"{scope}/weights", x.shape[-1], channels)
    return tf.matmul(x, kernel) + weights.between(f"{scope}/biases", channels, -0.5, 0.5)


def normalized(weights, x, scope):
    channels = x.shape[-1]
    gamma, beta = (
        weights.between(f"{scope}/gamma", channels, 0.2, 0.8),
        weights.between(f"{scope}/beta", channels, 0, 1),
    )
    mean = weights.between(f"{scope}/moving_mean", channels, -0.5, 0.5)
    variance = weights.between(f"{scope}/moving_variance", channels, 0.5, 1.5)
    return (x - mean) / tf.sqrt(variance + 1e-5) * gamma + beta


def normal_convolution(weights, x, scope, channels, side, stride=1):
    return normalized(weights, convolution(weights, x, scope, channels, side, stride), f"{scope}/BatchNorm")


def unit_1(weights, x, scope, channels, stride):
    """Of version 1: where nothing else changes the shortcut, it takes every second value."""
    scope = f"{scope}/bottleneck_v1"
    if x.shape[-1] == 4 * channels:
        shortcut = x[:, ::stride, ::stride]
    else:
        shortcut = normal_convolution(weights, x, f"{scope}/shortcut", 4 * channels, 1, stride)
    x = tf.nn.relu(normal_convolution(weights, x, f"{scope}/conv1", channels, 1))
    x = tf.nn.relu(normal_convolution(weights, x, f"{scope}/conv2", channels, 3, stride))
    return tf.nn.relu(shortcut + normal_convolution(weights, x, f"{scope}/conv3", 4 * channels, 1))


def unit_2(weights, x, scope, channels, stride):
    """Of version 2, which normalises first."""
    scope = f"{scope}/bottleneck_v2"
    first = tf.nn.relu(normalized(weights, x, f"{scope}/preact"))
    if x.shape[-1] == 4 * channels:
        shortcut = x[:, ::stride, ::stride]
    else:
        shortcut = convolution(weights, first, f"{scope}/shortcut", 4 * channels, 1, stride, bias=True)
    x = tf.nn.relu(normal_convolution(weights, first, f"{scope}/conv1", channels, 1))
    x = tf.nn.relu(normal_convolution(weights, x, f"{scope}/conv2", channels, 3, stride))
    return shortcut + convolution(weights, x, f"{scope}/conv3", 4 * channels, 1, bias=True)


def block(weights, x, unit, scope, channels, units, stride):
    """The stride is the last unit's."""
    for number in range(1, units + 1):
        x = unit(weights, x, f"{scope}/unit_{number}", channels, stride if number == units else 1)
    return x


def rgbn_trunk(weights, x, root, scope, channels):
    """RGB-N's: padded by hand, and strides of the blocks that leave the third at 16."""
    x = tf.nn.relu(normal_convolution(weights, x, root, channels[0], 7, 2))
    x = tf.nn.max_pool2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 3, 2, "VALID")
    for number, (units, stride) in enumerate(((3, 2), (4, 2), (6, 1)), start=1):
        x = block(weights, x, unit_1, f"{scope}/block{number}", channels[number - 1], units, stride)
    return x


def exif_trunk(weights, x, channels, units, features):
    """EXIF-consistency's: the first pooling is padded as TensorFlow does it."""
    x = convolution(weights, x, "resnet_v2_50/conv1", 64, 7, 2, bias=True)
    x = tf.nn.max_pool2d(x, 3, 2, "SAME")
    for number, (width, stride) in enumerate(zip(channels, (2, 2, 2, 1)), start=1):
        x = block(weights, x, unit_2, f"resnet_v2_50/block{number}", width, units, stride)
    x = tf.nn.relu(normalized(weights, x, "resnet_v2_50/postnorm"))
    x = tf.reduce_mean(x, [1, 2], keepdims=True)
    return convolution(weights, x, "resnet_v2_50/logits", features, 1, bias=True)[:, 0, 0]
