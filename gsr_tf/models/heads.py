"""Heads on upsampled features: bilinear interpolation, and a convolution that goes before it."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from gsr_tf.data.image_ops import resize
from gsr_tf.models.convolution import normal, spatial_size
from gsr_tf.models.keras import keras


class Upsample(keras.layers.Layer):
    """Bilinear interpolation to another tensor's height and width (`image_ops.resize`)."""

    def __init__(self, *, half_pixel: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.half_pixel = half_pixel

    def call(self, x: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
        """x [b, h, w, c] at the size of `like`."""
        return resize(x, spatial_size(like), half_pixel=self.half_pixel)


def interpolation_matrix(size: tf.Tensor, target: tf.Tensor, shift: int, half_pixel: bool) -> tf.Tensor:
    """Bilinear interpolation of one axis as a matrix, its output shifted.

    Args:
        size: length n of the axis.
        target: length N after interpolation.
        shift: row i of the matrix samples output position i + shift; rows beyond either end are zero, which is
            zero padding of the upsampled signal.
        half_pixel: pixel centres at halves (TF2, OpenCV), or TF1's convention (see `image_ops.resize`).

    Returns:
        [N, n] float32: two weights a row.
    """
    position = tf.range(target) + shift
    scale = tf.cast(size, tf.float32) / tf.cast(target, tf.float32)
    half = 0.5 if half_pixel else 0.0
    source = tf.clip_by_value((tf.cast(position, tf.float32) + half) * scale - half, 0.0, tf.cast(size - 1, tf.float32))
    weights = tf.maximum(0.0, 1.0 - tf.abs(source[:, tf.newaxis] - tf.range(tf.cast(size, tf.float32))))
    inside = (position >= 0) & (position < target)
    return tf.where(inside[:, tf.newaxis], weights, 0.0)


@functools.cache
def _known_matrices(size: int, target: int, shifts: range, half_pixel: bool) -> np.ndarray:
    """Those of all shifts side by side, computed once: in a graph, and in its gradient, each is one constant."""
    with tf.init_scope(), tf.device("CPU"):
        matrices = [interpolation_matrix(size, target, shift, half_pixel) for shift in shifts]
        return tf.concat(matrices, axis=1).numpy()


class UpsampledHead(keras.layers.Layer):
    """A k x k convolution (no bias) of features upsampled to one size and concatenated, without upsampling them.

    Interpolation and convolution are both linear, so their order can be changed: each block is projected to the
    k^2 x filters values that its pixels contribute, at its own resolution, and these few channels are interpolated,
    shifted and summed. The result is exact (zero padding included, SAME: (k-1)//2 above and left) and never holds
    the 896 channels at full size, 322 MB a 300x300 picture.

    Input: a list of [b, h_i, w_i, c_i]. Output: [b, h, w, filters], float32.
    """

    def __init__(self, filters: int, kernel_size: int, *, half_pixel: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.half_pixel = filters, kernel_size, half_pixel

    def build(self, input_shape) -> None:
        """kernel [k, k, sum of c_i, filters]: as if applied to the concatenated upsampled blocks."""
        self.channels = [shape[-1] for shape in input_shape]
        shape = [self.kernel_size, self.kernel_size, sum(self.channels), self.filters]
        self.kernel = self.add_weight("kernel", shape, initializer=normal())
        super().build(input_shape)

    def call(self, blocks: Sequence[tf.Tensor], like: tf.Tensor) -> tf.Tensor:
        """blocks at their resolutions -> [b, h, w, filters] float32 logits at the size of `like` [b, h, w, c]."""
        size = spatial_size(like)
        kernels = tf.split(self.kernel, self.channels, axis=2)
        return tf.add_n([self._upsample(x, kernel, size) for x, kernel in zip(blocks, kernels)])

    def _upsample(self, x: tf.Tensor, kernel: tf.Tensor, size: Sequence[int]) -> tf.Tensor:
        k = self.kernel_size
        # [k, k, c, filters] -> [c, u * v * filters]: what a pixel gives to each tap (u, v)
        taps = tf.reshape(tf.transpose(kernel, [2, 0, 1, 3]), [-1, k * k * self.filters])
        shares = tf.cast(tf.tensordot(x, taps, 1), tf.float32)
        if k == 1:
            return resize(shares, size, half_pixel=self.half_pixel)
        b, (h, w) = tf.shape(x)[0], spatial_size(x)
        shares = tf.transpose(tf.reshape(shares, [b, h, w, k, k, self.filters]), [0, 5, 3, 1, 4, 2])
        wide = tf.matmul(tf.reshape(shares, [-1, k * w]), self._stacked(w, size[1]), transpose_b=True)
        tall = tf.reshape(wide, [b, self.filters, k * h, size[1]])  # rows: (u, h)
        return tf.transpose(tf.matmul(self._stacked(h, size[0]), tall), [0, 2, 3, 1])

    def _stacked(self, size: tf.Tensor, target: int) -> tf.Tensor:
        """[target, k * size]: the interpolation matrices of all k shifts side by side."""
        first = -((self.kernel_size - 1) // 2)
        shifts = range(first, first + self.kernel_size)
        if isinstance(size, int) and isinstance(target, int):
            return tf.constant(_known_matrices(size, target, shifts, self.half_pixel))
        return tf.concat([interpolation_matrix(size, target, shift, self.half_pixel) for shift in shifts], axis=1)
