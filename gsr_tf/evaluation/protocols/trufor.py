"""TruFor's: either polarity, and the region's border left out."""

from __future__ import annotations

import cv2
import numpy as np

from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.metrics import Counts
from gsr_tf.evaluation.protocols.protocol import Protocol, Values, at_half


def look(scores: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> Counts:
    """Native size, without a band about the border: positives eroded by 15x15, negatives by 11x11."""
    truth = mask.astype(np.uint8)
    positive = cv2.erode(truth, np.ones((15, 15), np.uint8)) > 0
    counted = positive | (cv2.dilate(truth, np.ones((11, 11), np.uint8)) == 0)
    return metrics.count(scores[counted], positive[counted], thresholds)


def keep(counts: Counts, thresholds: np.ndarray) -> Values:
    """F1 of the better polarity: at the picture's best threshold, and at 0.5."""
    either = np.maximum(metrics.f1(counts), metrics.f1(counts.inverted()))
    return {"f1": either.max(keepdims=True), "f1 at 0.5": at_half(either, thresholds)}


PROTOCOL = Protocol(
    name="trufor",
    definition="F1 of the map or of its inverse, whichever is better, at each picture's best threshold and at 0.5; "
    "a band about the region's border is ignored",
    source="TruFor, test_docker/metrics.py",
    look=look,
    keep=keep,
)
