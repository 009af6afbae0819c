"""TruFor's: either polarity, and the region's border left out."""

from __future__ import annotations

import cv2
import numpy as np

from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.metrics import Counts
from gsr_tf.evaluation.protocols.protocol import Protocol, Values, at_half


def look(scores: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> Counts:
    """Native size, without a band about the border: positives eroded by 15x15, negatives by 11x11.

    Counted at `thresholds`, then at every threshold that can be the best of the map and of its inverse.
    """
    truth = mask.astype(np.uint8)
    positive = cv2.erode(truth, np.ones((15, 15), np.uint8)) > 0
    counted = positive | (cv2.dilate(truth, np.ones((11, 11), np.uint8)) == 0)
    seen, truth = scores[counted], positive[counted]
    counts, optima = metrics.count(seen, truth, thresholds), metrics.count_at_optima(seen, truth)
    return counts._replace(tp=np.append(counts.tp, optima.tp), fp=np.append(counts.fp, optima.fp))


def keep(counts: Counts, thresholds: np.ndarray) -> Values:
    """F1 of the better polarity: at the picture's best threshold, and at 0.5; NaN where TruFor has it.

    That is where no pixel is counted, and at 0.5 where all pixels and predictions are of one class, since its confusion
    matrix lacks the other.
    """
    pixels = counts.positives + counts.negatives
    either = np.maximum(metrics.f1(counts), metrics.f1(counts.inverted())) if pixels else np.array([np.nan])
    one_class = np.maximum(counts.tp, counts.tn) == pixels
    defined = np.where(one_class, np.nan, either)[: len(thresholds)]
    return {"f1": either.max(keepdims=True), "f1 at 0.5": at_half(defined, thresholds)}


PROTOCOL = Protocol(
    name="trufor",
    definition="F1 of the map or of its inverse, whichever is better, at each picture's best threshold, of all that "
    "tell two of its scores apart, and at 0.5, there without pictures whose pixels and predictions are all of one "
    "class; a band about the region's border is ignored, and a picture of which nothing else is left",
    source="TruFor, test_docker/metrics.py",
    look=look,
    keep=keep,
)
