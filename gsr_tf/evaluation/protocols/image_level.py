"""Pictures as pixels: was anything in this one manipulated?"""

from __future__ import annotations

import numpy as np

from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.accumulator import REPLICATES, Accumulator, resample
from gsr_tf.evaluation.metrics import Counts
from gsr_tf.evaluation.protocols import pixels
from gsr_tf.evaluation.protocols.protocol import Protocol, Score, Scores, Table, at_half


def look(scores: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> Counts:
    """The picture as one pixel: its score is its highest pixel's, it is positive when anything was manipulated."""
    return metrics.count(scores.max(keepdims=True), mask.max(keepdims=True), thresholds)


def rank(table: Table) -> Scores:
    """The two areas, of the pictures' scores themselves: on a grid those of a confident network would all be ties."""
    auc, ap = areas(table["name"], table["highest score"], table["share"] > 0)
    pictures = len(table["name"])
    return {"auc": Score(auc, None, pictures), "ap": Score(ap, None, pictures)}


def areas(names: np.ndarray, scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ROC-AUC and average precision by rank, as scikit-learn has them: equal scores are ties.

    Pictures are gone through from the highest score down, so that memory does not grow with pictures times replicates.

    Args:
        names: [n] by which pictures are resampled.
        scores: [n].
        positive: [n] bool.

    Returns:
        Two arrays, [1 + replicates]; NaN for the AUC of pictures of one kind and the AP of none that is positive.
    """
    order = np.argsort(-scores, kind="stable")
    tp, fp, area, steps = np.zeros((4, 1 + REPLICATES))
    for ties in np.split(order, np.flatnonzero(np.diff(scores[order])) + 1):
        more_tp, more_fp = (
            sum((resample(names[one]) for one in ties if positive[one] == kind), np.zeros_like(tp))
            for kind in (True, False)
        )
        area += more_fp * (tp + more_tp / 2)
        tp += more_tp
        fp += more_fp
        steps += more_tp * metrics.ratio(tp, tp + fp)
    return metrics.ratio(area, tp * fp, empty=np.nan), metrics.ratio(steps, tp, empty=np.nan)


def score(sums: Accumulator, thresholds: np.ndarray) -> Scores:
    """At 0.5 F1, balanced accuracy, and what MVSS-Net calls F1.

    That one is the harmonic mean of sensitivity and specificity (its common/utils.py).
    """
    if not at_half(thresholds, thresholds).size:
        return {}
    counts = pixels.total(sums)
    sensitivity = at_half(metrics.recall(counts), thresholds)[:, 0]
    specificity = 1 - at_half(metrics.false_positive_rate(counts), thresholds)[:, 0]
    # With one kind of picture only there is nothing to balance: undefined, as the ROC area is.
    both = (counts.positives * counts.negatives)[:, 0] > 0
    total = np.where(both, sensitivity + specificity, np.nan)
    at = {
        "f1": at_half(metrics.f1(counts), thresholds)[:, 0],
        "balanced accuracy": total / 2,
        "mvss f1": 2 * sensitivity * specificity / np.where(total == 0, 1, total),
    }
    return {name: Score(rows, 0.5, sums.pictures("tp")) for name, rows in at.items()}


PROTOCOL = Protocol(
    name="image-level",
    definition="manipulated or authentic, by the picture's highest score; the areas by its rank among the others', "
    "whatever the grid; at > 0.5 where a threshold is needed",
    source="the image score of MVSS-Net (highest pixel)",
    look=look,
    keep=pixels.keep,
    score=score,
    rank=rank,
    pictures="all",
    once=True,
)
