"""Edges that are learnt, and edge-enhanced inference: a surface counts where a closed edge goes around it."""

from __future__ import annotations

import tensorflow as tf

from gsr_tf.data.image_ops import boundary


def edge_label(k: tf.Tensor, size: int) -> tf.Tensor:
    """The boundary of K by a square of `size` pixels, closed where K meets the picture's border.

    K counts as 0 outside the picture. GSR-Net's `boundary` has no edge along the border, which would leave open the
    outline of a region that meets it, and `fill_holes` would fill nothing; what the paper did there is not known.

    Args:
        k: [b, h, w, 1] float, K in [0, 1].
        size: side of the square.

    Returns:
        [b, h, w, 1] float, in [0, 1].
    """
    return boundary(tf.pad(k, [[0, 0], [size, size], [size, size], [0, 0]]), size)[:, size:-size, size:-size]


def edge_enhanced(surface: tf.Tensor, edge: tf.Tensor, threshold: tf.Tensor | float) -> tf.Tensor:
    """The probability of a surface on the edge's mask with its holes filled, 0 elsewhere.

    The paper thresholds both maps, fills the holes of the edge mask and intersects. Here the surface's threshold is
    left to whoever scores the map: above it, what remains is the paper's mask.

    Args:
        surface: [b, h, w, 1] float32, probability of being manipulated.
        edge: [b, h, w, 1] float32, probability of being an edge.
        threshold: above it an edge is one; scalar, or [b, 1, 1, 1].

    Returns:
        [b, h, w, 1] float32.
    """
    return surface * fill_holes(tf.cast(edge > threshold, tf.float32))


def fill_holes(mask: tf.Tensor) -> tf.Tensor:
    """[b, h, w, 1] float32, 0 or 1, and 1 as well wherever no path leads out of the picture.

    A path goes through zeros, up, down, left and right: a diagonal line of ones holds it up (`binary_fill_holes` of
    SciPy). The outside grows from the border until it no longer does.
    """
    free = 1.0 - tf.pad(mask, [[0, 0], [1, 1], [1, 1], [0, 0]])
    border = 1.0 - tf.pad(tf.ones_like(mask), [[0, 0], [1, 1], [1, 1], [0, 0]])

    def grown(outside: tf.Tensor) -> tf.Tensor:
        for window in ((1, 3), (3, 1)) * 4:
            outside = free * tf.nn.max_pool2d(outside, window, 1, "SAME")
        return outside

    _, outside = tf.while_loop(
        lambda before, after: tf.reduce_any(after > before),
        lambda _, after: (after, grown(after)),
        (0 * border, border),
    )
    return 1.0 - outside[:, 1:-1, 1:-1]
