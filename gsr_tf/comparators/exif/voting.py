"""Patches of a picture on a grid, and how what is said of pairs of them becomes said of pairs of places.

Each pair of patches votes into a block of cells on either side, as many as the patch is strides wide. One band matrix
says which patches vote into which cells, so all votes are two matrix products.
"""

from __future__ import annotations

import tensorflow as tf

FINEST = 32  # strides a patch: see `dense_stride`
NO_VOTES = 1e-4  # added to the number of votes


def dense_stride(size: tf.Tensor, side: int, across: int) -> tf.Tensor:
    """Scalar int32: the longer side's room for a patch divided by `across`.

    The release's falls to 1 and 0 where pictures are little larger than a patch; cells would then be single pixels,
    and pairs of them more than a memory holds. Here it is at least side / 32.

    Args:
        size: [2] int32, height and width of the picture.
        side: of a patch, pixels.
        across: see `Answer.patches_across`.
    """
    return tf.maximum((tf.reduce_max(size) - side) // across, max(1, side // FINEST))


def grid_of(size: tf.Tensor, side: int, stride: tf.Tensor) -> tf.Tensor:
    """[2] int32, rows and columns of patches in a picture of this size."""
    return 1 + (size - side) // stride


def corners(grid: tf.Tensor, stride: tf.Tensor) -> tf.Tensor:
    """[rows x columns, 2] int32, the upper left pixel of each patch, row after row."""
    down, across = tf.meshgrid(tf.range(grid[0]), tf.range(grid[1]), indexing="ij")
    return stride * tf.stack([tf.reshape(down, [-1]), tf.reshape(across, [-1])], axis=1)


def cells_of(grid: tf.Tensor, spread: tf.Tensor) -> tf.Tensor:
    """[2] int32, rows and columns of cells: each patch covers spread x spread of them."""
    return grid + spread - 1


def coverage(grid: tf.Tensor, spread: tf.Tensor) -> tf.Tensor:
    """[cells, patches] float32: 1 where the patch covers the cell."""
    down, across = (_band(grid[axis], spread) for axis in (0, 1))
    both = down[:, tf.newaxis, :, tf.newaxis] * across[tf.newaxis, :, tf.newaxis, :]
    return tf.reshape(both, [tf.reduce_prod(cells_of(grid, spread)), tf.reduce_prod(grid)])


def _band(count: tf.Tensor, spread: tf.Tensor) -> tf.Tensor:
    """[count + spread - 1, count] float32: 1 where a patch covers a cell, along one axis."""
    distance = tf.range(count + spread - 1)[:, tf.newaxis] - tf.range(count)
    return tf.cast((distance >= 0) & (distance < spread), tf.float32)


def responses(pairs: tf.Tensor, grid: tf.Tensor, spread: tf.Tensor) -> tf.Tensor:
    """[cells, cells] float32: the mean of all votes for a pair of cells; a row is one cell's map.

    Args:
        pairs: [patches, patches] float32, of each patch and each other, that they are of one photograph.
        grid: [2] int32, rows and columns of patches.
        spread: scalar int32, cells a side that a patch covers.
    """
    covered = coverage(grid, spread)
    votes = tf.matmul(tf.matmul(covered, pairs), covered, transpose_b=True)
    counts = tf.reduce_sum(covered, axis=1)
    return votes / (counts[:, tf.newaxis] * counts + NO_VOTES)


def maps(pairs: tf.Tensor, grid: tf.Tensor, spread: tf.Tensor) -> tf.Tensor:
    """[anchors, cells] float32: as `responses`, of single patches ([anchors, patches]) and all."""
    covered = coverage(grid, spread)
    return tf.matmul(pairs, covered, transpose_b=True) / (tf.reduce_sum(covered, axis=1) + NO_VOTES)


def in_place(cells: tf.Tensor, stride: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """[h, w, c], each pixel with the value of the cell that it lies in; beyond the last cell, of that one.

    Args:
        cells: [rows, columns, c]; the first one begins at the upper left pixel.
        stride: scalar int32, side of a cell, pixels.
        size: [2] int32, h and w.
    """
    rows, columns = (tf.minimum(tf.range(size[axis]) // stride, tf.shape(cells)[axis] - 1) for axis in (0, 1))
    return tf.gather(tf.gather(cells, rows), columns, axis=1)
