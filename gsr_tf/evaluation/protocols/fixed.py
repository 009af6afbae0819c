"""Every picture at 0.5."""

from __future__ import annotations

import numpy as np

from gsr_tf.evaluation.metrics import Counts
from gsr_tf.evaluation.protocols.curves import curves
from gsr_tf.evaluation.protocols.protocol import Protocol, Values, at_half


def keep(counts: Counts, thresholds: np.ndarray) -> Values:
    """Every metric at 0.5."""
    return {name: at_half(curve, thresholds) for name, curve in curves(counts).items()}


PROTOCOL = Protocol(
    name="fixed-0.5",
    definition="F1 and MCC of each picture at probability > 0.5, averaged",
    source="common practice: no threshold is chosen with the truth in hand",
    keep=keep,
    needs_probabilities=True,
)
