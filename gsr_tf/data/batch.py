"""What one training step sees."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class Batch(NamedTuple):
    """Pictures of one step, in network range (BGR, 0-255 minus the mean), float32.

    Attributes:
        s: [b, h, w, 3] S, the source.
        k: [b, h, w, 1] K, its mask, 0 or 1.
        t: [b, h, w, 3] T, the target.
        m: [b, h, w, 3] M, copy-pasted from them (Eq. 1).
        a: [b, h, w, 3] S's own authentic picture, or None where it is not asked for.
    """

    s: tf.Tensor
    k: tf.Tensor
    t: tf.Tensor
    m: tf.Tensor
    a: tf.Tensor | None = None
