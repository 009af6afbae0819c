"""What each protocol keeps of one picture's `Counts`: name -> [v], to be summed over pictures.

[t] curves where the threshold is chosen for the data set; [1] where it is fixed or chosen picture by picture.
"""

from __future__ import annotations

import numpy as np

from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.metrics import Counts

Values = dict[str, np.ndarray]
THRESHOLDED = ("f1", "mcc", "iou", "precision", "recall")
AT_FALSE_ALARMS = ("f1", "mcc", "recall")


def at_half(curve: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """[..., 1], a [..., t] curve at the threshold 0.5; [..., 0] where the grid does not have it."""
    return curve[..., thresholds == 0.5]


def curves(counts: Counts, thresholds: np.ndarray) -> Values:
    """Every metric at every threshold, and the two areas."""
    areas = {"auc": np.atleast_1d(metrics.roc_auc(counts)), "ap": np.atleast_1d(metrics.average_precision(counts))}
    return {**{name: getattr(metrics, name)(counts) for name in THRESHOLDED}, **areas}


def optima(counts: Counts, thresholds: np.ndarray) -> Values:
    """The picture's best F1, MCC and IoU, each at its own threshold."""
    return {name: getattr(metrics, name)(counts).max(keepdims=True) for name in ("f1", "mcc", "iou")}


def release(counts: Counts, thresholds: np.ndarray) -> Values:
    """The picture's best F1 and MCC.

    F1 is 0/0 where mask and prediction are both empty; the release's average would be NaN, here the picture is
    left out of it.
    """
    return {"f1": metrics.f1(counts, empty=np.nan).max(keepdims=True), "mcc": metrics.mcc(counts).max(keepdims=True)}


def fixed(counts: Counts, thresholds: np.ndarray) -> Values:
    """Every metric at 0.5."""
    return {name: at_half(getattr(metrics, name)(counts), thresholds) for name in THRESHOLDED}


def imdlbenco(counts: Counts, thresholds: np.ndarray) -> Values:
    """F1 and IoU at 0.5, and ROC-AUC; all of them 0 for an authentic picture."""
    return {
        "f1": at_half(metrics.f1(counts), thresholds),
        "iou": at_half(metrics.iou(counts), thresholds),
        "auc": np.atleast_1d(np.nan_to_num(metrics.roc_auc(counts))),
    }


def trufor(counts: Counts, thresholds: np.ndarray) -> Values:
    """F1 of the better polarity: at the picture's best threshold, and at 0.5."""
    either = np.maximum(metrics.f1(counts), metrics.f1(counts.inverted()))
    return {"f1": either.max(keepdims=True), "f1 at 0.5": at_half(either, thresholds)}


def mvss(counts: Counts, thresholds: np.ndarray) -> Values:
    """F1 at 0.5; 1 where mask and prediction are both empty."""
    return {"f1": at_half(metrics.f1(counts, empty=1.0), thresholds)}


def pixels(counts: Counts, thresholds: np.ndarray) -> Values:
    """The counts themselves."""
    return {name: np.atleast_1d(value).astype(np.float64) for name, value in counts._asdict().items()}


def false_alarms(counts: Counts, thresholds: np.ndarray) -> Values:
    """Share of pixels marked at 0.5, and whether there is any."""
    rate = at_half(metrics.false_positive_rate(counts), thresholds)
    return {"false positive rate": rate, "pictures with any": (rate > 0).astype(np.float64)}


def curves_by_kind(counts: Counts, thresholds: np.ndarray) -> Values:
    """At every threshold the share of marked pixels where none is manipulated, or else F1, MCC and recall.

    NaN for the other kind of picture.
    """
    nothing = np.full(len(thresholds), np.nan)
    manipulated = {name: getattr(metrics, name)(counts) if counts.positives else nothing for name in AT_FALSE_ALARMS}
    return {"false positive rate": nothing if counts.positives else metrics.false_positive_rate(counts), **manipulated}
