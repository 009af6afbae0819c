"""The paper's own: one threshold for the data set, the best one."""

from __future__ import annotations

import numpy as np

from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.accumulator import Accumulator
from gsr_tf.evaluation.metrics import Counts
from gsr_tf.evaluation.protocols.curves import at, curves
from gsr_tf.evaluation.protocols.protocol import Protocol, Score, Scores, Values


def keep(counts: Counts, thresholds: np.ndarray) -> Values:
    """Every metric at every threshold, and the two areas."""
    areas = {"auc": np.atleast_1d(metrics.roc_auc(counts)), "ap": np.atleast_1d(metrics.average_precision(counts))}
    return {**curves(counts), **areas}


def score(sums: Accumulator, thresholds: np.ndarray) -> Scores:
    """Curves averaged over pictures, then the best threshold: F1, MCC and IoU each its own, in each replicate too.

    Precision and recall are taken at F1's threshold.
    """
    means = sums.means()
    best = {name: rows.argmax(axis=1) for name, rows in means.items()}
    best.update(precision=best["f1"], recall=best["f1"])

    def taken(name: str, rows: np.ndarray) -> Score:
        threshold = float(thresholds[best[name][0]]) if rows.shape[1] > 1 else None
        return Score(at(rows, best[name]), threshold, sums.pictures(name))

    return {name: taken(name, rows) for name, rows in means.items()}


PROTOCOL = Protocol(
    name="paper",
    definition="F1 and MCC of each picture averaged at each threshold, then the best average, each its own; without "
    "the clean-up of Section 4.1, for which the paper gives no sizes: paper-cleaned has it, with ours",
    source='GSR-Net 4.2: "vary the prediction threshold [...] and report the optimal score over the whole dataset"',
    keep=keep,
    score=score,
)
