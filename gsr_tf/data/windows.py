"""Square windows of pictures: how large, where, cut out."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.data.augment.log_uniform import log_uniform
from gsr_tf.data.preparation import Preparation
from gsr_tf.data.randomness import WINDOW_SIDE, uniform


def window_side(i: tf.Tensor, preparation: Preparation) -> int | tf.Tensor:
    """The side of element i's windows, pixels: all ratios between the two scales are equally likely."""
    low, high = preparation.window_scale
    if low == high:
        return round(low * preparation.input_size)
    scale = log_uniform((low, high), uniform(i, WINDOW_SIDE, preparation.seed, 1)[0])
    return tf.cast(tf.round(scale * preparation.input_size), tf.int32)


def window_corner(
    picture: tf.Tensor,
    mask: tf.Tensor | None,
    i: tf.Tensor,
    purpose: int,
    side: int | tf.Tensor,
    preparation: Preparation,
) -> tf.Tensor:
    """Upper left corner of a square window: anywhere, or such that it holds a randomly chosen pixel of the mask.

    With `whole_regions` it holds all rows of the mask, and all columns, where so many fit in.

    Args:
        picture: [h, w, c] that the window is cut out of.
        mask: [h, w, 1] bool, or None for a window anywhere.
        i: the element's number.
        purpose: of its random numbers.
        side: of the window, pixels.
        preparation: its seed, and whether whole regions are wanted.

    Returns:
        [2] int32, row and column.
    """
    random = uniform(i, purpose, preparation.seed, 3)
    low, high = tf.zeros([2], tf.int32), tf.shape(picture)[:2] - side
    if mask is not None:
        pixels = tf.cast(tf.where(mask[..., 0]), tf.int32)
        first, last = tf.cond(
            tf.size(pixels) > 0,
            lambda: _held(pixels, random[2], side, whole=preparation.whole_regions),
            lambda: (high, low + side - 1),
        )
        low, high = tf.maximum(low, last - side + 1), tf.minimum(high, first)
    return low + tf.cast(random[:2] * tf.cast(high - low + 1, tf.float32), tf.int32)


def _held(pixels: tf.Tensor, random: tf.Tensor, side: int | tf.Tensor, *, whole: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Of the pixels [n, 2] that a window shall hold, first and last row and column: one's, or if `whole` all."""
    count = tf.shape(pixels)[0]
    pixel = pixels[tf.minimum(tf.cast(random * tf.cast(count, tf.float32), tf.int32), count - 1)]
    if not whole:
        return pixel, pixel
    ends = tf.reduce_min(pixels, 0), tf.reduce_max(pixels, 0)
    return tuple(tf.where(ends[1] - ends[0] < side, end, pixel) for end in ends)


def cut(layers: tuple[tf.Tensor, ...], corner: tf.Tensor, side: int | tf.Tensor) -> tuple[tf.Tensor, ...]:
    """The square window of this side and upper left corner, of each layer [h, w, c]."""
    top, left = tf.unstack(corner)
    known = side if isinstance(side, int) else None
    windows = [layer[top : top + side, left : left + side] for layer in layers]
    return tuple(tf.ensure_shape(window, [known, known, None]) for window in windows)
