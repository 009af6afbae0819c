"""The training step written straight from the paper (Eq. 1-9): what it must return, and give each optimizer.

The networks are called as the Keras models that they are; nothing else of `gsr_tf` is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import tensorflow as tf

EPSILON = 1e-8  # Adam's, TF1's


class Conventions(NamedTuple):
    """What a training step does, with the paper's values."""

    lambdas: tuple[float, float, float] = (1.0, 2.0, 5.0)  # of L_grad, L_edge, L_adv (Eq. 7)
    by_region: bool = True  # Eq. 3-5 are means over their regions, or else over all pixels and channels
    laplacian_scale: float = 1.0
    half_pixel: bool = True
    square: int = 5  # that dilates and erodes K
    class_weights: tuple[float, float] = (1.0, 1.0)  # of rest and boundary
    weight_decay: float = 5e-5
    rounds: dict[str, int] = {"pasted": 1, "generated": 1}  # of refinement
    generator_moves_first: bool = True
    joint: bool = False  # the segmenter's loss on G(M) moves the generator too


class Expected(NamedTuple):
    """What a step must find: losses by name, gradients by network, and every P."""

    losses: dict[str, tf.Tensor]
    gradients: dict[str, list[tf.Tensor]]
    boundaries: list[tf.Tensor]


def expected_step(net, batch, how: Conventions, moved: Sequence) -> Expected:
    """All losses and gradients of one step; the networks' weights stay as they are.

    Args:
        net: has the networks, at the step's first weights.
        batch: S, K, T, M and S's own authentic picture.
        how: what the step does.
        moved: the generator's weights after its update, for a step in which it moves first.
    """
    with tf.GradientTape(persistent=True) as tape:
        g_m, blending = _generate(net, batch, how)
        seen = _g_m_of(moved, net, batch, how) if how.generator_moves_first else g_m
        l_d = _discriminate(net, batch, seen, how)
        parts, boundaries = _segment(net, batch, seen if how.joint else tf.stop_gradient(seen), how)
        l_s = tf.add_n(list(parts.values()))
        l_g = blending["loss/generator"]
        joint = l_g + l_s
    gradients = {
        "generator": tape.gradient(joint, net.generator.trainable_variables),  # of l_g alone, unless l_s sees G's own
        "discriminator": tape.gradient(l_d, net.discriminator.trainable_variables),
        "segmenter": tape.gradient(joint, net.segmenter.trainable_variables),
    }
    losses = {**blending, "loss/discriminator": l_d, **parts, "loss/segmenter": l_s}
    return Expected(losses, gradients, boundaries)


# -------------------------------------------------------------------------------------------------- Section 3.1


def _at_256(x, how):
    return resized(x, 256, 256, how.half_pixel)


def _generate(net, batch, how):
    """G(M) at the batch's size, and the generator's losses."""
    s, k, t = (_at_256(x, how) for x in (batch.s, batch.k, batch.t))
    m = k * s + (1 - k) * t  # Eq. 1
    g = net.generator([m, k], training=True)
    g_m = resized(g, *batch.s.shape[1:3], how.half_pixel)
    e = edge(k, how.square)
    l_bg = mean_l1(g, t, 1 - k, how.by_region)  # Eq. 3
    l_grad = how.laplacian_scale * mean_l1(laplacian(g), laplacian(s), k, how.by_region)  # Eq. 4
    l_edge = mean_l1(g, s, e, how.by_region)  # Eq. 5
    l_adv = -tf.reduce_mean(tf.math.log(tf.sigmoid(net.discriminator([_at_256(g_m, how), k]))))
    of_grad, of_edge, of_adv = how.lambdas
    l_g = l_bg + of_grad * l_grad + of_edge * l_edge + of_adv * l_adv  # Eq. 7
    parts = {"background": l_bg, "gradient": l_grad, "edge": l_edge, "adversarial": l_adv, "generator": l_g}
    return g_m, {f"loss/{name}": value for name, value in parts.items()}


def _g_m_of(weights, net, batch, how):
    """G(M) with these weights of the generator, which gets its own back."""
    before = net.generator.get_weights()
    net.generator.set_weights(weights)
    g_m = _generate(net, batch, how)[0]
    net.generator.set_weights(before)
    return g_m


def _discriminate(net, batch, g_m, how):
    """The negative of Eq. 6: T with K is real, G(M) with K is not; G's weights are left alone."""
    k = _at_256(batch.k, how)
    d_real = tf.sigmoid(net.discriminator([_at_256(batch.t, how), k]))
    d_fake = tf.sigmoid(net.discriminator([_at_256(tf.stop_gradient(g_m), how), k]))
    return -tf.reduce_mean(tf.math.log(d_real)) - tf.reduce_mean(tf.math.log(1 - d_fake))


# -------------------------------------------------------------------------------------------- Sections 3.2 and 3.3


def _segment(net, batch, g_m, how):
    """Cross entropies on S, M, G(M) and their refinements, weight decay, and every P."""
    parts, boundaries = {"loss/weight_decay": _weight_decay(net.segmenter, how.weight_decay)}, []
    pictures = {"source": (batch.s, batch.a), "pasted": (batch.m, batch.t), "generated": (g_m, batch.t)}
    for name, (image, authentic) in pictures.items():
        k = batch.k
        for number in range(1 + how.rounds.get(name, 0)):
            logits = net.segmenter(image, training=True)
            entropies = {
                "segmentation": cross_entropy(logits["segmentation"], k, (1.0, 1.0)),
                "boundary": cross_entropy(logits["boundary"], edge(k, how.square), how.class_weights),
            }
            end = f"_refined_{number}" if number else ""
            parts.update({f"loss/{kind}/{name}{end}": value for kind, value in entropies.items()})
            p = tf.cast(tf.argmax(logits["boundary"], -1), tf.float32)[..., tf.newaxis]
            boundaries.append(p)
            image = tf.stop_gradient(authentic * p + image * (1 - p))  # Eq. 8
            k = k - k * p  # Eq. 9
    return parts, boundaries


def _weight_decay(segmenter, rate):
    """Half the sum of squares of all kernels; biases, and normalisation's gamma and beta, are spared."""
    kernels = [v for v in segmenter.trainable_variables if len(v.shape) == 4]
    return rate * tf.add_n([tf.reduce_sum(v**2) / 2 for v in kernels])


# ---------------------------------------------------------------------------------------------------------- pieces


def resized(x, height, width, half_pixel):
    """x [b, h, w, c], bilinearly, at another size; pixel centres at halves, or else TF1's way."""
    return tf.compat.v1.image.resize_bilinear(x, [height, width], half_pixel_centers=half_pixel)


def edge(k, square):
    """|dilation(K) - erosion(K)| of K [b, h, w, 1]."""
    element = np.ones((square, square), np.uint8)
    found = [cv2.dilate(mask, element) - cv2.erode(mask, element) for mask in np.array(k)[..., 0]]
    return np.stack(found)[..., np.newaxis]


def laplacian(x):
    """Up + down + left + right - 4 x of each channel, with zeros around the picture."""
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)
    kernel = np.repeat(kernel[:, :, np.newaxis, np.newaxis], x.shape[-1], 2)
    return tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "SAME")


def mean_l1(x, y, region, by_region):
    """|x - y|_1 inside a region: a pixel of it, each picture by itself; or a pixel and channel of the whole."""
    error = region * tf.abs(x - y)
    if not by_region:
        return tf.reduce_mean(error)
    return tf.reduce_mean(tf.reduce_sum(error, [1, 2, 3]) / tf.reduce_sum(region, [1, 2, 3]))


def cross_entropy(logits, label, class_weights):
    """Mean over pixels of weight times -log(softmax) of the pixel's class."""
    log_p = tf.math.log(tf.nn.softmax(logits))
    of_0, of_1 = class_weights
    return -tf.reduce_mean(of_0 * (1 - label) * log_p[..., :1] + of_1 * label * log_p[..., 1:])


def adam(weights, gradients: Sequence, rate: float, beta_1: float = 0.9, beta_2: float = 0.999) -> np.ndarray:
    """Weights after Adam's updates with these gradients, one after the other."""
    weights, m, v = np.array(weights, np.float64), 0.0, 0.0
    for t, gradient in enumerate(gradients, start=1):
        gradient = np.array(gradient, np.float64)
        m = beta_1 * m + (1 - beta_1) * gradient
        v = beta_2 * v + (1 - beta_2) * gradient**2
        weights = weights - rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (np.sqrt(v) + EPSILON)
    return weights
