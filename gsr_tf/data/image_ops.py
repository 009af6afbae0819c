"""Operations on pictures in a graph: ranges, resizing, the boundary of a mask, the Laplacian."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

# The mean that VGG-16's Caffe weights expect, and the release subtracts; blue, green, red.
CAFFE_MEAN_BGR = (104.00698793, 116.66876762, 122.67891434)


def to_network_range(rgb: tf.Tensor) -> tf.Tensor:
    """RGB in 0..255, [..., 3], any type -> BGR minus the Caffe mean, float32: what all three networks see."""
    return subtract_mean(tf.reverse(rgb, [-1]))


def subtract_mean(bgr: tf.Tensor) -> tf.Tensor:
    """BGR in 0..255, [..., 3], any type -> network range, float32."""
    return tf.cast(bgr, tf.float32) - tf.constant(CAFFE_MEAN_BGR)


def from_network_range(bgr: tf.Tensor) -> tf.Tensor:
    """The inverse of `to_network_range`: [..., 3] -> uint8 RGB, clipped and rounded."""
    rgb = tf.reverse(tf.cast(bgr, tf.float32) + tf.constant(CAFFE_MEAN_BGR), [-1])
    return tf.saturate_cast(tf.round(rgb), tf.uint8)


def resize(x: tf.Tensor, size: Sequence[int], *, half_pixel: bool = True) -> tf.Tensor:
    """Bilinear resize without antialiasing.

    Args:
        x: [b, h, w, c] or [h, w, c], any numeric type.
        size: target (height, width).
        half_pixel: pixel centres at halves, as OpenCV and TF2; False is TF1's convention, which samples at
            multiples of in/out (the release).

    Returns:
        float32 of the target size.
    """
    if half_pixel:
        return tf.image.resize(x, size, method="bilinear")
    batched = x if x.shape.rank == 4 else x[tf.newaxis]
    resized = tf.raw_ops.ResizeBilinear(images=batched, size=size)
    return resized if x.shape.rank == 4 else resized[0]


def boundary(k: tf.Tensor, size: int = 5) -> tf.Tensor:
    """e = |dilation(K) - erosion(K)| (Section 3.1), by a square of `size` pixels.

    Pixels outside the picture are ignored: a mask that touches the border has no edge there (the release, and
    OpenCV's convention).

    Args:
        k: [b, h, w, 1] float, K in [0, 1], hard or soft.
        size: side of the square; 5 in the release, where the paper is silent.

    Returns:
        [b, h, w, 1] float, in [0, 1]; 0 or 1 for a hard mask.
    """

    def dilate(x: tf.Tensor) -> tf.Tensor:  # a square's maximum is a column's maximum of a row's
        row = tf.nn.max_pool2d(x, (1, size), 1, "SAME")
        return tf.nn.max_pool2d(row, (size, 1), 1, "SAME")

    return dilate(k) + dilate(-k)


def laplacian(x: tf.Tensor) -> tf.Tensor:
    """The four-neighbour Laplacian of each channel, zero outside the picture (Eq. 4).

    Args:
        x: [b, h, w, c] float.

    Returns:
        [b, h, w, c]: up + down + left + right - 4 x.
    """
    padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    neighbours = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
    return neighbours - 4.0 * x
