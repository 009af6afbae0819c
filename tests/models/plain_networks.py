"""The forward passes of the three networks, layer by layer, in plain TensorFlow, from weights by name."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tests.models.equations import resized

Weights = Mapping[str, tf.Tensor]  # by canonical name
MEAN = [104.00698793, 116.66876762, 122.67891434]  # of blue, green and red


def generator(w: Weights, m, k):
    """U-Net: eight strided convolutions down, eight transposed ones up, skips between; a tanh in 0..255."""
    x, skips = tf.concat([m, k], -1), []
    for number in range(1, 9):
        x = x if number == 1 else leaky_relu(x)
        x = tf.nn.conv2d(x, w[f"generator/encoder_{number}/kernel"], 2, "SAME")
        skips.append(x)
    for number in range(8, 0, -1):
        x = x if number == 8 else tf.concat([x, skips[number - 1]], -1)
        kernel = w[f"generator/decoder_{number}/kernel"]  # [4, 4, out, in]
        shape = [x.shape[0], 2 * x.shape[1], 2 * x.shape[2], kernel.shape[2]]
        x = tf.nn.conv2d_transpose(tf.maximum(x, 0), kernel, shape, 2, "SAME")
    return 255 * (tf.tanh(x) + 1) / 2 - MEAN


def discriminator(w: Weights, image, k):
    """PatchGAN: five 4x4 convolutions, padded by one pixel, three of them strided."""
    x = tf.concat([image, k], -1)
    for number, stride in enumerate([2, 2, 2, 1, 1]):
        x = x if number == 0 else leaky_relu(x)
        x = tf.nn.conv2d(x, w[f"discriminator/conv_{number}/kernel"], stride, [[0, 0], [1, 1], [1, 1], [0, 0]])
    return x


def segmenter(w: Weights, image, half_pixel: bool, kept: Mapping[str, tf.Tensor]):
    """VGG-16 DeepLab with batch normalisation: logits of the segmentation and of the boundary.

    `kept`: what dropout multiplies the outputs of fc6 and of fc7 by, 1 for nothing dropped.
    """
    height, width = image.shape[1:3]
    x, blocks = image, {}
    for block, layers, dilation, stride in ((1, 2, 1, 2), (2, 2, 1, 2), (3, 3, 1, 2), (4, 3, 1, 1), (5, 3, 2, 1)):
        for layer in range(1, layers + 1):
            x = _vgg_layer(w, f"segmenter/conv{block}_{layer}", x, dilation)
        blocks[block] = x
        x = tf.nn.max_pool2d(x, 3, stride, "SAME")
    x = tf.nn.avg_pool2d(x, 3, 1, "SAME")
    for layer, dilation in (("fc6", 12), ("fc7", 1)):
        kernel, bias = w[f"segmenter/{layer}/kernel"], w[f"segmenter/{layer}/bias"]
        x = tf.maximum(tf.nn.conv2d(x, kernel, 1, "SAME", dilations=dilation) + bias, 0) * kept[layer]

    edges = tf.concat([resized(blocks[number], height, width, half_pixel) for number in (2, 3, 4)], -1)
    edges = tf.nn.conv2d(edges, w["segmenter/boundary_head/kernel"], 1, "SAME")
    interior = tf.nn.conv2d(x, w["segmenter/interior_head/kernel"], 1, "SAME")
    fused = tf.concat([resized(interior, height, width, half_pixel), edges], -1)
    return tf.nn.conv2d(fused, w["segmenter/fusion_head/kernel"], 1, "SAME"), edges


def leaky_relu(x):
    """x, or a fifth of it where it is negative."""
    return tf.where(x > 0, x, 0.2 * x)


def _vgg_layer(w, name, x, dilation):
    """Convolution, normalisation by the batch's mean and variance, ReLU."""
    x = tf.nn.conv2d(x, w[f"{name}/kernel"], 1, "SAME", dilations=dilation) + w[f"{name}/bias"]
    mean, variance = tf.nn.moments(x, [0, 1, 2])
    x = (x - mean) / tf.sqrt(variance + 1e-5) * w[f"{name}/bn_gamma"] + w[f"{name}/bn_beta"]
    return tf.maximum(x, 0)
