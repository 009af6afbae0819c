"""Counts summed over pictures, as if their pixels were one picture's."""

from __future__ import annotations

import numpy as np

from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.accumulator import Accumulator
from gsr_tf.evaluation.metrics import Counts
from gsr_tf.evaluation.protocols.protocol import Score, Scores, Values


def keep(counts: Counts, thresholds: np.ndarray) -> Values:
    """The counts themselves."""
    return {name: np.atleast_1d(value).astype(np.float64) for name, value in counts._asdict().items()}


def total(sums: Accumulator) -> Counts:
    """Summed counts, [rows, t]."""
    totals = sums.sums()
    return Counts(totals["tp"], totals["fp"], totals["positives"], totals["negatives"])


def areas(sums: Accumulator) -> Scores:
    """The two areas that need no threshold."""
    counts, pictures = total(sums), sums.pictures("tp")
    flat = counts._replace(positives=counts.positives[:, 0], negatives=counts.negatives[:, 0])
    return {
        "auc": Score(metrics.roc_auc(flat), None, pictures),
        "ap": Score(metrics.average_precision(flat), None, pictures),
    }
