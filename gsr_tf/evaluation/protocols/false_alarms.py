"""What is found at a price that is set beforehand: a share of false alarms."""

from __future__ import annotations

import numpy as np

from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.accumulator import Accumulator
from gsr_tf.evaluation.metrics import Counts
from gsr_tf.evaluation.protocols.curves import at, curves
from gsr_tf.evaluation.protocols.protocol import Protocol, Score, Scores, Values

SHARES = (0.1, 0.05, 0.02, 0.01)  # of the authentic pictures' pixels
FOUND = ("f1", "mcc", "recall")
ROUNDING = 1e-9  # an average of shares that are all .1 may be .1 but for its last bits


def keep(counts: Counts, thresholds: np.ndarray) -> Values:
    """At every threshold the share of marked pixels where none is manipulated, or else F1, MCC and recall.

    NaN for the other kind of picture.
    """
    nothing = np.full(len(thresholds), np.nan)
    if counts.positives:
        return {"false positive rate": nothing, **curves(counts, FOUND)}
    return {"false positive rate": metrics.false_positive_rate(counts), **dict.fromkeys(FOUND, nothing)}


def score(sums: Accumulator, thresholds: np.ndarray) -> Scores:
    """What is found at the lowest threshold that marks at most so many of the authentic pictures' pixels.

    The threshold is each replicate's own; NaN where none is high enough. Nothing without both kinds of picture.
    """
    means = sums.means()
    if not (sums.pictures("false positive rate") and sums.pictures("f1")):
        return {}
    scores = {}
    for share in SHARES:
        allowed = means["false positive rate"] <= share * (1 + ROUNDING)
        lowest, possible = allowed.argmax(axis=1), allowed.any(axis=1)
        threshold = float(thresholds[lowest[0]]) if possible[0] else None
        for name in FOUND:
            rows = np.where(possible, at(means[name], lowest), np.nan)
            scores[f"{name} at {share:.0%} false alarms"] = Score(rows, threshold, sums.pictures(name))
    return scores


PROTOCOL = Protocol(
    name="false-alarms",
    definition="F1, MCC and recall of each manipulated picture, averaged, at the lowest threshold at which at most "
    "10, 5, 2 or 1 % of an authentic picture's pixels are marked, averaged over the set's",
    source="ours: methods that mark much and little compare, and a threshold can be chosen by what it costs",
    keep=keep,
    score=score,
    pictures="all",
)
