"""Pixel metrics of score maps, from counts over a grid of thresholds. NumPy only.

A picture becomes two histograms, of the scores of its manipulated and of its authentic pixels; everything else
follows from them. Counts of pictures add up, so any number of pictures takes the memory of one.

Conventions, those of scikit-learn: a pixel is positive where its score is strictly above the threshold; a ratio
with nothing to divide is 0 (F1 and IoU of an empty mask with an empty prediction, precision of an empty prediction,
average precision without positives), MCC is 0 where a row or a column of the confusion matrix is empty, ROC-AUC is
NaN where there is one class only. ROC-AUC and average precision see scores between two thresholds as ties.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from gsr_tf.inference.score_maps import ScoreError, check_finite, check_probabilities

# Exact in binary floating point; holds 0.5, and 0 (every pixel with a probability above nothing).
PROBABILITY_GRID = np.arange(256) / 256
QUANTILES = 256


class Counts(NamedTuple):
    """Pixels counted at each threshold; counts of several pictures add up.

    Attributes:
        tp: [..., thresholds] manipulated pixels whose score is above the threshold.
        fp: [..., thresholds] authentic pixels whose score is above the threshold.
        positives: [...] or [..., 1] manipulated pixels.
        negatives: of the same shape, authentic pixels.
    """

    tp: np.ndarray
    fp: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray

    @property
    def fn(self) -> np.ndarray:
        """Manipulated pixels that were missed."""
        return self.positives - self.tp

    @property
    def tn(self) -> np.ndarray:
        """Authentic pixels that were left alone."""
        return self.negatives - self.fp

    def inverted(self) -> Counts:
        """Counts of the opposite prediction: positive where the score is not above the threshold."""
        return Counts(self.fn, self.tn, self.positives, self.negatives)


def check_scores(scores: np.ndarray, mask: np.ndarray) -> None:
    """Refuses what must not be scored silently.

    Args:
        scores: [h, w] score map.
        mask: [h, w], the truth.

    Raises:
        ScoreError: the sizes differ, or the map holds NaN or infinities.
    """
    if scores.shape != mask.shape:
        raise ScoreError(f"score map of {scores.shape}, its mask has {mask.shape}; a method must keep the size")
    check_finite(scores)


def thresholds_below(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """[n] int64, how many of the ascending thresholds each of the scores, [n], is strictly above."""
    if np.array_equal(thresholds, PROBABILITY_GRID):  # exact steps of 1 / 256: ten times faster than a search
        return np.clip(np.ceil(scores * len(thresholds)), 0, len(thresholds)).astype(np.int64)
    return np.searchsorted(thresholds, scores, side="left")


def count(scores: np.ndarray, mask: np.ndarray, thresholds: np.ndarray = PROBABILITY_GRID) -> Counts:
    """Counts one picture's pixels at every threshold, in one pass.

    Args:
        scores: any shape, higher = manipulated.
        mask: bool, of the same shape, True = manipulated.
        thresholds: [t] ascending.
    """
    bins = len(thresholds) + 1
    histogram = np.bincount(
        thresholds_below(scores.ravel(), thresholds) + bins * mask.ravel().astype(bool), minlength=2 * bins
    ).reshape(2, bins)
    above = histogram[:, :0:-1].cumsum(axis=1)[:, ::-1]
    negatives, positives = histogram.sum(axis=1)
    return Counts(above[1], above[0], positives, negatives)


def count_at_optima(scores: np.ndarray, mask: np.ndarray) -> Counts:
    """Counts one picture's pixels at every threshold that may be the best, for the map or for its inverse.

    These lie just below the score of a manipulated pixel, or at it: from there to the next such score only authentic
    pixels change sides, and F1, MCC and IoU fall or rise all the way. Minus infinity, the first, is there for a picture
    without any; arguments as `count`'s.
    """
    values, number = np.unique(scores[mask], return_counts=True)
    authentic, upto = np.sort(scores[~mask]), np.cumsum(number)
    missed = np.concatenate([[0], upto - number, upto])
    left = np.concatenate([[0], *(np.searchsorted(authentic, values, side) for side in ("left", "right"))])
    positives, negatives = np.count_nonzero(mask), authentic.size
    return Counts(positives - missed, negatives - left, positives, negatives)


def ratio(numerator: np.ndarray, denominator: np.ndarray, empty: float = 0.0) -> np.ndarray:
    """Numerator over denominator; `empty` where there is nothing to divide by."""
    numerator, denominator = np.broadcast_arrays(np.asarray(numerator, float), np.asarray(denominator, float))
    return np.divide(numerator, denominator, out=np.full(numerator.shape, empty), where=denominator != 0)


def f1(counts: Counts, empty: float = 0.0) -> np.ndarray:
    """[..., t] F1 = 2 TP / (2 TP + FP + FN); `empty` where mask and prediction are both empty."""
    return ratio(2 * counts.tp, counts.tp + counts.fp + counts.positives, empty)


def iou(counts: Counts) -> np.ndarray:
    """[..., t] intersection over union, TP / (TP + FP + FN)."""
    return ratio(counts.tp, counts.fp + counts.positives)


def precision(counts: Counts) -> np.ndarray:
    """[..., t] TP / (TP + FP)."""
    return ratio(counts.tp, counts.tp + counts.fp)


def recall(counts: Counts) -> np.ndarray:
    """[..., t] TP / (TP + FN)."""
    return ratio(counts.tp, counts.positives)


def false_positive_rate(counts: Counts) -> np.ndarray:
    """[..., t] FP / (FP + TN)."""
    return ratio(counts.fp, counts.negatives)


def mcc(counts: Counts) -> np.ndarray:
    """[..., t] Matthews correlation coefficient, in [-1, 1]."""
    tp, fp, fn, tn = (np.asarray(part, float) for part in (counts.tp, counts.fp, counts.fn, counts.tn))
    # Two roots: the product of all four sums would lose digits for pooled pixels.
    scale = np.sqrt((tp + fp) * (tp + fn)) * np.sqrt((tn + fp) * (tn + fn))
    return ratio(tp * tn - fp * fn, scale)


def _with_ends(counts: Counts) -> tuple[np.ndarray, np.ndarray]:
    """TP and FP from the emptiest prediction to the full one, thresholds descending."""
    positives, negatives = (np.asarray(total)[..., None] for total in (counts.positives, counts.negatives))
    tp = np.concatenate([np.zeros_like(positives), counts.tp[..., ::-1], positives], axis=-1)
    fp = np.concatenate([np.zeros_like(negatives), counts.fp[..., ::-1], negatives], axis=-1)
    return tp.astype(float), fp.astype(float)


def roc_auc(counts: Counts) -> np.ndarray:
    """[...] area under the ROC curve; `positives` and `negatives` of shape [...]; NaN for one class only."""
    tp, fp = _with_ends(counts)
    area = (np.diff(fp) * (tp[..., 1:] + tp[..., :-1])).sum(axis=-1) / 2
    return ratio(area, np.asarray(counts.positives, float) * counts.negatives, empty=np.nan)


def average_precision(counts: Counts) -> np.ndarray:
    """[...] sum of precision times the step in recall; `positives` and `negatives` of shape [...]."""
    tp, fp = _with_ends(counts)
    steps = np.diff(tp) * ratio(tp, tp + fp)[..., 1:]
    return ratio(steps.sum(axis=-1), counts.positives)


def quantile_grid(samples: np.ndarray) -> np.ndarray:
    """Thresholds for maps that are not probabilities: quantiles of their scores.

    A linear grid would miss maps that hold 1e-280 beside 0.9999.

    Args:
        samples: scores of the data set, any shape.

    Returns:
        [t] ascending, first minus infinity (all pixels positive), so that the floor can always be reached.
    """
    quantiles = np.quantile(np.asarray(samples, np.float64), np.linspace(0, 1, QUANTILES), method="lower")
    return np.concatenate([[-np.inf], np.unique(quantiles)])


def summarise(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """The paper's scores of probability maps, in one pass: what training reports on its validation set.

    For each threshold of `PROBABILITY_GRID` F1 and MCC are averaged over the pictures, and the best average is
    taken, each with its own threshold ("the optimal score over the whole dataset", section 4.2).

    Args:
        pairs: (probability [h, w] in [0, 1], mask [h, w] bool, True = manipulated), one a manipulated picture.

    Returns:
        "f1", "f1_threshold", "mcc", "mcc_threshold": the optima; "f1_fixed", "mcc_fixed": at 0.5;
        "all_positive_f1": F1 of marking every pixel, the floor that a method must clear; "pictures": their number.

    Raises:
        ScoreError: a map of another size than its mask, not finite or outside [0, 1]; or no picture at all.
    """
    pictures, sums = 0, {"f1": 0.0, "mcc": 0.0, "all_positive_f1": 0.0}
    for probability, mask in pairs:
        check_scores(probability, mask)
        check_probabilities(probability)
        counts = count(probability, mask)
        pictures += 1
        sums["f1"] += f1(counts)
        sums["mcc"] += mcc(counts)
        sums["all_positive_f1"] += 2 * counts.positives / (2 * counts.positives + counts.negatives)
    if not pictures:
        raise ScoreError("no pictures to score; the data set has none with a mask")
    scores = {"pictures": pictures, "all_positive_f1": float(sums["all_positive_f1"] / pictures)}
    for name in ("f1", "mcc"):
        mean = sums[name] / pictures
        scores[name] = float(mean.max())
        scores[f"{name}_threshold"] = float(PROBABILITY_GRID[mean.argmax()])
        scores[f"{name}_fixed"] = float(mean[PROBABILITY_GRID == 0.5][0])
    return scores
