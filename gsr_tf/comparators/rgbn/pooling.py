"""Compact bilinear pooling: every product of two features in a few channels (Gao et al., CVPR 2016)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

SEEDS = ((1, 3), (5, 7))  # of places and signs, of either side: the published weights hang on these numbers


def count_sketch(x: tf.Tensor, channels: int, seeds: tuple[int, int]) -> tf.Tensor:
    """Each feature is added, with a sign, to one channel, both drawn once and for all: [n, c] -> [n, channels].

    Inner products keep their expected value.
    """
    places = np.random.RandomState(seeds[0]).randint(channels, size=x.shape[-1])
    signs = 2.0 * np.random.RandomState(seeds[1]).randint(2, size=x.shape[-1]) - 1.0
    return tf.transpose(tf.math.unsorted_segment_sum(tf.transpose(x * signs.astype(np.float32)), places, channels))


def compact_bilinear(
    x: tf.Tensor, y: tf.Tensor, channels: int, seeds: tuple[tuple[int, int], tuple[int, int]] = SEEDS
) -> tf.Tensor:
    """The sketch of the outer products of x and y, averaged over all places.

    The sketch of a product is a circular convolution of the two sketches, which is a product of their spectra; the mean
    is taken there, so that one inverse transform a region is enough.

    Args:
        x: [n, h, w, c] float32.
        y: [n, h, w, d] float32.
        channels: of the result, even.
        seeds: places and signs of x, of y.

    Returns:
        [n, channels] float32; inner products of two results are about the means of <x, x'> <y, y'>.
    """
    spectra = [tf.signal.rfft(_by_place(z, channels, seed)) for z, seed in zip((x, y), seeds, strict=True)]
    return tf.signal.irfft(tf.reduce_mean(spectra[0] * spectra[1], axis=1), [channels])


def _by_place(x: tf.Tensor, channels: int, seeds: tuple[int, int]) -> tf.Tensor:
    """[n, h, w, c] -> the sketches, [n, h w, channels]."""
    sketched = count_sketch(tf.reshape(x, [-1, x.shape[-1]]), channels, seeds)
    return tf.reshape(sketched, [tf.shape(x)[0], x.shape[1] * x.shape[2], channels])


def signed_root(x: tf.Tensor) -> tf.Tensor:
    """[n, c]: the root of every value under its sign, then each row at length 1."""
    return tf.math.l2_normalize(tf.sign(x) * tf.sqrt(tf.abs(x) + 1e-10), -1)  # a root's gradient has no bound near 0
