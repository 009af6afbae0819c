"""The release's: each picture's best threshold, after the clean-up of its test script."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.metrics import Counts
from gsr_tf.evaluation.protocols.protocol import Protocol, Values
from gsr_tf.inference import postprocessing

SIDE = 300
THRESHOLDS = np.arange(50) / 100


def look(scores: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> Counts:
    """300x300, with the release's clean-up of the mask at each threshold (its test script, an early revision).

    The release shrinks the picture and predicts at 300x300; here the map is shrunk, which is the same for a method
    that works at 300x300 inside, but for one resize up and down. The mask is shrunk as the release shrinks most of its:
    of 0 and 1, bilinearly, rounded at one half. Those of its CASIA 1 are shrunk as greys and cut above 40 of 255, which
    makes regions about 3 % larger; a protocol does not know which set it scores.
    """
    size = (SIDE, SIDE)
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


def keep(counts: Counts, thresholds: np.ndarray) -> Values:
    """The picture's best F1 and MCC.

    F1 is 0/0 where mask and prediction are both empty; the release's average would be NaN, here the picture is
    left out of it.
    """
    return {"f1": metrics.f1(counts, empty=np.nan).max(keepdims=True), "mcc": metrics.mcc(counts).max(keepdims=True)}


PROTOCOL = Protocol(
    name="release",
    definition="each picture's best F1 and best MCC over thresholds 0.00 to 0.49, averaged; at each threshold a "
    "closing by 15x15, the three largest components (background included), a 3x3 erosion, a closing twice; the mask "
    "shrunk as 0 or 1 and rounded at one half (the release's CASIA 1: as greys, cut above 40 of 255)",
    source="the test script of GSR-Net's release, in its early revisions (2019)",
    look=look,
    keep=keep,
    resolution=f"{SIDE}x{SIDE}",
    needs_probabilities=True,
    thresholds=THRESHOLDS,
)
