"""The pictures that a detector learns from: manipulated ones of a data set, or pasted ones."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from gsr_tf.data.batch import Batch

PICTURES = ("source", "pasted")


def examples(batch: Batch, chosen: Sequence[str]) -> tuple[tf.Tensor, tf.Tensor]:
    """What a detector learns from: pictures [n, h, w, 3], and K of each [n, h, w, 1].

    Args:
        batch: of b elements.
        chosen: one or more of `PICTURES`.
    """
    pictures = {"source": batch.s, "pasted": batch.m}
    return tf.concat([pictures[name] for name in chosen], 0), tf.concat([batch.k] * len(chosen), 0)
