"""Pictures as pixels: was anything in this one manipulated?"""

from __future__ import annotations

import numpy as np

from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.accumulator import Accumulator
from gsr_tf.evaluation.metrics import Counts
from gsr_tf.evaluation.protocols import pixels
from gsr_tf.evaluation.protocols.protocol import Protocol, Score, Scores, at_half


def look(scores: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> Counts:
    """The picture as one pixel: its score is its highest pixel's, it is positive when anything was manipulated."""
    return metrics.count(scores.max(keepdims=True), mask.max(keepdims=True), thresholds)


def score(sums: Accumulator, thresholds: np.ndarray) -> Scores:
    """Areas; at 0.5 F1, balanced accuracy, and what MVSS-Net calls F1.

    That one is the harmonic mean of sensitivity and specificity (its common/utils.py).
    """
    counts, scores = pixels.areas(sums)
    if not at_half(thresholds, thresholds).size:
        return scores
    sensitivity = at_half(metrics.recall(counts), thresholds)[:, 0]
    specificity = 1 - at_half(metrics.false_positive_rate(counts), thresholds)[:, 0]
    # With one kind of picture only there is nothing to balance: undefined, as the ROC area is.
    total = np.where(np.isnan(scores["auc"].rows), np.nan, sensitivity + specificity)
    at = {
        "f1": at_half(metrics.f1(counts), thresholds)[:, 0],
        "balanced accuracy": total / 2,
        "mvss f1": 2 * sensitivity * specificity / np.where(total == 0, 1, total),
    }
    return {**scores, **{name: Score(rows, 0.5, sums.pictures("tp")) for name, rows in at.items()}}


PROTOCOL = Protocol(
    name="image-level",
    definition="manipulated or authentic, by the picture's highest score; at > 0.5 where a threshold is needed",
    source="the image score of MVSS-Net (highest pixel)",
    look=look,
    keep=pixels.keep,
    score=score,
    pictures="all",
)
