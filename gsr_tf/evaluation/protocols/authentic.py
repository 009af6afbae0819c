"""What is marked in pictures that nobody touched."""

from __future__ import annotations

import numpy as np

from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.metrics import Counts
from gsr_tf.evaluation.protocols.protocol import Protocol, Values, at_half


def keep(counts: Counts, thresholds: np.ndarray) -> Values:
    """Share of pixels marked at 0.5, and whether there is any."""
    rate = at_half(metrics.false_positive_rate(counts), thresholds)
    return {"false positive rate": rate, "pictures with any": (rate > 0).astype(np.float64)}


PROTOCOL = Protocol(
    name="authentic",
    definition="share of an authentic picture's pixels at > 0.5, averaged; share of pictures with any",
    source="what users of such tools complain of: false alarms on pictures that nobody touched",
    keep=keep,
    pictures="authentic",
    needs_probabilities=True,
)
