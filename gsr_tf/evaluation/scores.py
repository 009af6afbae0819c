"""From sums over pictures to a data set's scores, for the estimate and for each bootstrap replicate at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.accumulator import Accumulator
from gsr_tf.evaluation.metrics import Counts
from gsr_tf.evaluation.values import AT_FALSE_ALARMS, at_half

FALSE_ALARMS = (0.1, 0.05, 0.02, 0.01)  # shares of the authentic pictures' pixels


class Score(NamedTuple):
    """A metric over a data set.

    Attributes:
        rows: [1 + replicates] its value, then its value in each bootstrap replicate.
        threshold: where it was taken; None where there is not one for the whole data set.
        pictures: how many it is over.
    """

    rows: np.ndarray
    threshold: float | None
    pictures: int


Scores = dict[str, Score]


def mean(sums: Accumulator, thresholds: np.ndarray) -> Scores:
    """Averages over pictures of numbers whose threshold was fixed, or the picture's own."""
    return {name: Score(rows[:, 0], None, sums.pictures(name)) for name, rows in sums.means().items() if rows.shape[1]}


def _at(curves: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """[rows] of [rows, t]: each row's value at its own threshold, whose number is in `chosen`, [rows]."""
    return np.take_along_axis(curves, chosen[:, None], axis=1)[:, 0]


def best_mean(sums: Accumulator, thresholds: np.ndarray) -> Scores:
    """Curves averaged over pictures, then the best threshold: F1, MCC and IoU each its own, in each replicate too.

    Precision and recall are taken at F1's threshold.
    """
    means = sums.means()
    best = {name: rows.argmax(axis=1) for name, rows in means.items()}
    best.update(precision=best["f1"], recall=best["f1"])

    def score(name: str, rows: np.ndarray) -> Score:
        chosen = _at(rows, best[name])
        return Score(chosen, float(thresholds[best[name][0]]) if rows.shape[1] > 1 else None, sums.pictures(name))

    return {name: score(name, rows) for name, rows in means.items()}


def at_false_alarms(sums: Accumulator, thresholds: np.ndarray) -> Scores:
    """What is found at the lowest threshold that marks at most so many of the authentic pictures' pixels.

    The threshold is each replicate's own; NaN where none is high enough. Nothing without both kinds of picture.
    """
    means = sums.means()
    if not (sums.pictures("false positive rate") and sums.pictures("f1")):
        return {}
    scores = {}
    for share in FALSE_ALARMS:
        allowed = means["false positive rate"] <= share
        lowest, possible = allowed.argmax(axis=1), allowed.any(axis=1)
        threshold = float(thresholds[lowest[0]]) if possible[0] else None
        for name in AT_FALSE_ALARMS:
            rows = np.where(possible, _at(means[name], lowest), np.nan)
            scores[f"{name} at {share:.0%} false alarms"] = Score(rows, threshold, sums.pictures(name))
    return scores


def _areas(sums: Accumulator) -> tuple[Counts, Scores]:
    """Summed counts, [rows, t], and the two areas that need no threshold."""
    totals = sums.sums()
    counts = Counts(totals["tp"], totals["fp"], totals["positives"], totals["negatives"])
    flat = counts._replace(positives=totals["positives"][:, 0], negatives=totals["negatives"][:, 0])
    pictures = sums.pictures("tp")
    return counts, {
        "auc": Score(metrics.roc_auc(flat), None, pictures),
        "ap": Score(metrics.average_precision(flat), None, pictures),
    }


def pooled(sums: Accumulator, thresholds: np.ndarray) -> Scores:
    """All pictures' pixels as one: F1, MCC and IoU at their best thresholds and at 0.5, areas."""
    counts, scores = _areas(sums)
    pictures = sums.pictures("tp")
    for name in ("f1", "mcc", "iou"):
        curve = getattr(metrics, name)(counts)
        scores[name] = Score(curve.max(axis=1), float(thresholds[curve[0].argmax()]), pictures)
        if at_half(thresholds, thresholds).size:
            scores[f"{name} at 0.5"] = Score(at_half(curve, thresholds)[:, 0], 0.5, pictures)
    return scores


def detection(sums: Accumulator, thresholds: np.ndarray) -> Scores:
    """Pictures as pixels: areas; at 0.5 F1, balanced accuracy, and what MVSS-Net calls F1.

    That one is the harmonic mean of sensitivity and specificity (its common/utils.py).
    """
    counts, scores = _areas(sums)
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
