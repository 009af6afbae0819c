"""MVSS-Net's: through an 8-bit picture, at 0.5."""

from __future__ import annotations

import numpy as np

from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.metrics import Counts
from gsr_tf.evaluation.protocols.protocol import Protocol, Values, at_half


def look(scores: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> Counts:
    """Native size, through an 8-bit picture: probabilities rounded down to 255ths."""
    return metrics.count(np.floor(np.float32(scores) * 255) / 255, mask, thresholds)


def keep(counts: Counts, thresholds: np.ndarray) -> Values:
    """F1 at 0.5; 1 where mask and prediction are both empty."""
    return {"f1": at_half(metrics.f1(counts, empty=1.0), thresholds)}


PROTOCOL = Protocol(
    name="mvss",
    definition="F1 of each manipulated picture at > 0.5 of an 8-bit map, averaged; empty mask and prediction: 1",
    source="MVSS-Net, evaluate.py and common/utils.py",
    look=look,
    keep=keep,
    needs_probabilities=True,
)
