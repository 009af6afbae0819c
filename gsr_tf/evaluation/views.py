"""How each protocol looks at one picture: its resolution, polarity, ignored pixels and clean-up, as `Counts`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from gsr_tf.evaluation.metrics import Counts, count
from gsr_tf.inference import postprocessing

RELEASE_SIDE = 300
RELEASE_THRESHOLDS = np.arange(50) / 100
IMDLBENCO_SIDE = 512


def native(scores: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> Counts:
    """Every pixel, at the picture's own size."""
    return count(scores, mask, thresholds)


def release(scores: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> Counts:
    """300x300, with the release's clean-up of the mask at each threshold (its test script, an early revision).

    The release shrinks the picture and predicts at 300x300; here the map is shrunk, which is the same for a method
    that works at 300x300 inside, but for one resize up and down. Its mask is shrunk bilinearly too.
    """
    size = (RELEASE_SIDE, RELEASE_SIDE)
    truth = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)
    closed = postprocessing.release_closing(cv2.resize(np.float32(scores), size, interpolation=cv2.INTER_LINEAR))
    positives = int(truth.sum())

    def cleaned(threshold: float) -> np.ndarray:
        return postprocessing.release_mask(cv2.compare(closed, float(threshold), cv2.CMP_GT) & 1)

    with ThreadPoolExecutor() as pool:  # OpenCV works outside the interpreter's lock
        above = list(pool.map(cleaned, thresholds))
    tp = np.array([cv2.countNonZero(prediction & truth) for prediction in above])
    predicted = np.array([cv2.countNonZero(prediction) for prediction in above])
    return Counts(tp, predicted - tp, np.int64(positives), np.int64(truth.size - positives))


def imdlbenco(scores: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> Counts:
    """Stretched to 512x512, the size mode `--if_resizing`: the map bilinearly, the mask to the nearest pixel."""
    size = (IMDLBENCO_SIDE, IMDLBENCO_SIDE)
    resized = cv2.resize(np.float32(scores), size, interpolation=cv2.INTER_LINEAR)
    truth = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return count(resized, truth, thresholds)


def trufor(scores: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> Counts:
    """Native size, without a band about the border: positives eroded by 15x15, negatives by 11x11."""
    truth = mask.astype(np.uint8)
    positive = cv2.erode(truth, np.ones((15, 15), np.uint8)) > 0
    counted = positive | (cv2.dilate(truth, np.ones((11, 11), np.uint8)) == 0)
    return count(scores[counted], positive[counted], thresholds)


def mvss(scores: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> Counts:
    """Native size, through an 8-bit picture: probabilities rounded down to 255ths."""
    return count(np.floor(np.float32(scores) * 255) / 255, mask, thresholds)


def whole_picture(scores: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> Counts:
    """The picture as one pixel: its score is its highest pixel's, it is positive when anything was manipulated."""
    return count(scores.max(keepdims=True), mask.max(keepdims=True), thresholds)
