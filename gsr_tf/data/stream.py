"""An endless stream of batches, an element of which is a function of its number alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def in_batches(
    example: Callable[[tf.Tensor], Any],
    batch_size: int,
    start: int,
    share: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """Batches without end, in order.

    Args:
        example: the element's number, scalar int64 -> the element.
        batch_size: elements a batch, over all replicas; a multiple of their number.
        start: the first batch's number.
        share: which worker this is, and how many replicas there are; None: one for all.

    Returns:
        With a `share`, of each batch the part that this worker learns from, one batch for each of its replicas; other
        elements are not made.
    """
    share = share or tf.distribute.InputContext()
    at_once = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": True}
    stream = mapped(_numbers(start, batch_size, share), example, **at_once)
    return stream.batch(share.get_per_replica_batch_size(batch_size), drop_remainder=True)


def _numbers(start: int, batch_size: int, share: tf.distribute.InputContext) -> tf.data.Dataset:
    """Element numbers: of each batch the rows of this worker, who come one after another."""
    own = batch_size // share.num_input_pipelines
    first = own * share.input_pipeline_id
    return mapped(tf.data.Dataset.counter(start * own), lambda i: i // own * batch_size + first + i % own)


def mapped(dataset: tf.data.Dataset, function: Callable, **how: Any) -> tf.data.Dataset:
    """Each element through a function none of whose Python branches hangs on a tensor, `how` as `map` takes it.

    AutoGraph's look at its sources would take longer than everything else that a stream does before its first element.
    """
    return dataset.map(tf.autograph.experimental.do_not_convert(function), **how)
