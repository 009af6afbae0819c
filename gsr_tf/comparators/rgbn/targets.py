"""What a training step asks of anchors and of regions: which ones, of which class, and where the truth lies."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from gsr_tf.comparators.rgbn import boxes as boxes_lib

ANCHORS, ANCHOR_POSITIVES = 64, 32  # a picture, at most
REGIONS, REGION_POSITIVES = 64, 16
POSITIVE_ANCHOR, NEGATIVE_ANCHOR, POSITIVE_REGION = 0.7, 0.3, 0.5  # overlaps
BOX_SCALES = (0.1, 0.1, 0.2, 0.2)  # typical deltas of a region, by which they are divided to be learnt


class Targets(NamedTuple):
    """Of n boxes; chosen are the positive and the negative.

    Attributes:
        positive: [n] bool.
        negative: [n] bool.
        deltas: [n, 4] float32, how the truth nearest to each lies relative to it.
    """

    positive: tf.Tensor
    negative: tf.Tensor
    deltas: tf.Tensor

    @property
    def chosen(self) -> tf.Tensor:
        """[n] bool: what is learnt from."""
        return self.positive | self.negative


def of_anchors(anchors: tf.Tensor, truths: tf.Tensor, size: tf.Tensor, seed: tf.Tensor) -> Targets:
    """Positive: overlaps of .7, and the nearest anchors of each truth; negative: below .3. At most 64, half positive.

    Anchors that leave the picture are left out (Ren et al.).

    Args:
        anchors: [n, 4].
        truths: [m, 4], m may be 0.
        size: [2], the picture's height and width.
        seed: [2] int64, of what is drawn.
    """
    inside = tf.reduce_all(anchors == boxes_lib.clip(anchors, size), -1)
    overlaps = tf.where(inside[:, tf.newaxis], _padded_overlaps(anchors, truths), 0.0)
    best = tf.reduce_max(overlaps, 1)
    nearest = tf.reduce_any((overlaps == tf.reduce_max(overlaps, 0)) & (overlaps > 0), 1)
    positive = _draw(nearest | (best >= POSITIVE_ANCHOR), ANCHOR_POSITIVES, seed, 0)
    candidates = inside & (best < NEGATIVE_ANCHOR) & ~nearest
    negative = _draw(candidates, ANCHORS - _count(positive), seed, 1)
    return Targets(positive, negative, boxes_lib.encode(anchors, _nearest(overlaps, truths)))


def of_regions(proposals: tf.Tensor, truths: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, Targets]:
    """64 regions, at most a quarter positive: overlaps of .5. The truths are among those that are drawn from.

    Args:
        proposals: [n, 4].
        truths: [m, 4], m may be 0.
        seed: [2] int64, of what is drawn.

    Returns:
        The regions, [64, 4], and their targets; where there were fewer, the last are empty and not chosen. Deltas are
        divided by `BOX_SCALES`.
    """
    regions = tf.concat([proposals, truths], 0)
    overlaps = _padded_overlaps(regions, truths)
    near = tf.reduce_max(overlaps, 1) >= POSITIVE_REGION
    positive = _draw(near, REGION_POSITIVES, seed, 2)
    negative = _draw(~near, REGIONS - _count(positive), seed, 3)
    deltas = boxes_lib.encode(regions, _nearest(overlaps, truths)) / BOX_SCALES
    chosen = positive | negative
    found = (boxes_lib.filled(tf.boolean_mask(x, chosen), REGIONS) for x in (regions, positive, negative, deltas))
    kept, *targets = found
    return kept, Targets(*targets)


def _padded_overlaps(boxes: tf.Tensor, truths: tf.Tensor) -> tf.Tensor:
    """[n, m + 1]: the last column, of a truth that is nowhere, is 0, so that there is always a column."""
    return tf.pad(boxes_lib.overlaps(boxes, truths), [[0, 0], [0, 1]])


def _nearest(overlaps: tf.Tensor, truths: tf.Tensor) -> tf.Tensor:
    """[n, 4]: the truth that each box overlaps most."""
    return tf.gather(tf.pad(truths, [[0, 1], [0, 0]]), tf.argmax(overlaps, 1))


def _draw(candidates: tf.Tensor, most: tf.Tensor | int, seed: tf.Tensor, what: int) -> tf.Tensor:
    """[n] bool: at most so many of the candidates, [n] bool, drawn by the seed and the kind of draw alone."""
    seed = tf.random.experimental.stateless_fold_in(seed, what)
    keys = tf.where(candidates, tf.random.stateless_uniform(tf.shape(candidates), seed), 2.0)
    rank = tf.argsort(tf.argsort(keys))
    return candidates & (rank < most)


def _count(chosen: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(chosen, tf.int32))
