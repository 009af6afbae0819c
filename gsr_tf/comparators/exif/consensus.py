"""From many maps of one picture to the one on which most of them agree."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

ROUNDS = 5
NEAR = 0.1  # share of all distances that lie within the radius
SAME = 1e-6  # mean square difference below which two maps are one: what rounding leaves
RADII = np.linspace(0.1, 0.5, 10)
FEWEST = 4  # maps within a radius, its own among them, that make a core


def mean_shift(rows: tf.Tensor) -> tf.Tensor:
    """[d] float32: the densest mode of rows, [n, d], by five rounds of flat means.

    Each point moves to the mean of the rows within a radius, below which a tenth of all distances between rows lie.
    The mean of those points that then have most rows about them is the answer. The release looks for neighbours among
    rows that it is moving meanwhile, so that its answer depends on their order; here rows stay where they are.
    """
    centre = tf.reduce_mean(rows, axis=0)
    still = rows - centre  # about their centre squares are small, and their differences exact
    radius = _percentile(_squares(still, still))
    moved = still
    for _ in range(ROUNDS):
        near = _within(_squares(moved, still), radius)
        moved = tf.matmul(near, still) / tf.reduce_sum(near, axis=1, keepdims=True)
    density = tf.reduce_sum(_within(_squares(moved, still), radius), axis=1)
    densest = tf.boolean_mask(moved, density >= tf.reduce_max(density))
    return tf.clip_by_value(centre + tf.reduce_mean(densest, axis=0), 0.0, 1.0)  # sums of some 900 rows are rounded


def _squares(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """[n, m] float32, mean square differences of rows, [n, d] and [m, d]."""
    norms = [tf.reduce_sum(x**2, axis=1) for x in (one, other)]
    product = tf.matmul(one, other, transpose_b=True)
    squares = norms[0][:, tf.newaxis] + norms[1] - 2 * product
    return tf.maximum(squares, 0.0) / tf.cast(tf.shape(one)[1], tf.float32)


def _within(squares: tf.Tensor, radius: tf.Tensor) -> tf.Tensor:
    return tf.cast(squares <= radius + SAME, tf.float32)


def _percentile(squares: tf.Tensor) -> tf.Tensor:
    """The value below which a tenth of the distances between two different rows lie; each stands there twice."""
    count = tf.shape(squares)[0]
    between = tf.sort(tf.reshape(tf.linalg.set_diag(squares, tf.fill([count], -1.0)), [-1]))[count:]
    position = tf.cast(NEAR * tf.cast(tf.size(between), tf.float32), tf.int32)
    return tf.cond(count > 1, lambda: between[position], lambda: 0.0)


def consensus(maps: tf.Tensor) -> tf.Tensor:
    """[d] float32: what most of the maps, [n, d] in [0, 1], n known, agree on, each as it is or inverted.

    DBSCAN (Ester et al., KDD 1996) on the maps and their inverses, distances being root mean squares; the smallest of
    ten radii that makes a cluster at all, and the mean of its largest cluster. Without any, the mean of the maps.
    """
    both = tf.concat([maps, 1.0 - maps], axis=0)
    clusters = _clusters(tf.sqrt(_squares(both, both)))  # [radii, 2n, 2n]
    sizes = tf.reduce_sum(clusters, axis=2)
    best = tf.argmax(sizes, axis=1)
    found = tf.reduce_max(sizes, axis=1) > 0
    first = tf.argmax(found)
    members = tf.gather(clusters[first], best[first])
    alone = tf.concat([tf.ones([tf.shape(maps)[0]]), tf.zeros([tf.shape(maps)[0]])], axis=0)
    members = tf.where(tf.reduce_any(found), members, alone)
    return tf.linalg.matvec(both, members, transpose_a=True) / tf.reduce_sum(members)


def _clusters(distances: tf.Tensor) -> tf.Tensor:
    """[radii, n, n] float32: 1 where the second point is in the cluster of the first; rows of no core are 0."""
    near = tf.cast(distances <= tf.constant(RADII, tf.float32)[:, tf.newaxis, tf.newaxis], tf.float32)
    core = tf.cast(tf.reduce_sum(near, axis=2) >= FEWEST, tf.float32)
    reach = near * core[:, :, tf.newaxis] * core[:, tf.newaxis, :]
    for _ in range(distances.shape[0].bit_length()):  # each squaring doubles how far a chain of cores goes
        reach = tf.cast(tf.matmul(reach, reach) > 0, tf.float32)
    return tf.cast(tf.matmul(reach, near) > 0, tf.float32)


def flipped(consistency: tf.Tensor) -> tf.Tensor:
    """The map, or 1 less it, such that at most half is above .5: high then is what does not fit the rest."""
    above = tf.reduce_mean(tf.cast(consistency > 0.5, tf.float32))
    return tf.where(above > 0.5, 1.0 - consistency, consistency)
