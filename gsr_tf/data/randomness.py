"""Random numbers of a training element: functions of the run's seed, of what they decide, and of the element's number.

Nothing is drawn from a state, so an element is the same whenever and wherever it is made.
"""

from __future__ import annotations

import tensorflow as tf

# What a random number decides. A purpose of its own for each: no draw depends on another setting's being on.
(
    SOURCE_ORDER,
    TARGET_ORDER,
    SOURCE_FLIP,
    TARGET_FLIP,
    SOURCE_WINDOW,
    TARGET_WINDOW,
    WINDOW_SIDE,
    RETOUCHING,
    COPY_MOVE,
    SHAPE,
    PLACING,
    TONE,
    RECOLOURING,
    OTHER_TARGET,
) = range(14)

BLOCK = 8  # purposes that share a seed's neighbourhood
SEEDS = 2**32  # of runs


def uniform(i: tf.Tensor, purpose: int, seed: int, count: int) -> tf.Tensor:
    """[count] float32 in [0, 1): element i's own random numbers for one purpose."""
    return tf.random.stateless_uniform([count], seed=_seed(seed, purpose, i))


def visit(i: tf.Tensor, count: int, seed: int, purpose: int) -> tf.Tensor:
    """The i-th visit to one of `count` things: each epoch sees all of them, in an order drawn anew."""
    epoch, position = i // count, i % count
    # Of each word of its seed the shuffle looks at the last bits alone, which are the same every 256 epochs.
    key = tf.random.stateless_uniform([3], _seed(seed, purpose, epoch), minval=None, maxval=None, dtype=tf.int64)
    last = tf.constant(count - 1, tf.int64)
    return tf.raw_ops.RandomIndexShuffle(index=position, seed=key, max_index=last, rounds=4)


def _seed(seed: int, purpose: int, number: tf.Tensor) -> tf.Tensor:
    """[2] int64, different for every seed, purpose and number; `number` is an element's or an epoch's."""
    block, place = divmod(purpose, BLOCK)
    return tf.stack([tf.constant(BLOCK * (seed + block * SEEDS) + place, tf.int64), number])
