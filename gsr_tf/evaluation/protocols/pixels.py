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


def areas(sums: Accumulator) -> tuple[Counts, Scores]:
    """Summed counts, [rows, t], and the two areas that need no threshold."""
    totals = sums.sums()
    counts = Counts(totals["tp"], totals["fp"], totals["positives"], totals["negatives"])
    flat = counts._replace(positives=totals["positives"][:, 0], negatives=totals["negatives"][:, 0])
    pictures = sums.pictures("tp")
    return counts, {
        "auc": Score(metrics.roc_auc(flat), None, pictures),
        "ap": Score(metrics.average_precision(flat), None, pictures),
    }
