"""The paper's, with the clean-up of its Section 4.1 before a picture is counted."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from gsr_tf.evaluation.metrics import Counts
from gsr_tf.evaluation.protocols import paper
from gsr_tf.inference.postprocessing import DILATION, SMALLEST_OBJECT, paper_mask


def look(scores: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> Counts:
    """Native size; the prediction at each threshold is dilated, and its small components are removed."""
    truth = mask.astype(np.uint8)

    def counted(threshold: float) -> tuple[int, int]:
        prediction = paper_mask(scores > threshold).view(np.uint8)
        return cv2.countNonZero(prediction & truth), cv2.countNonZero(prediction)

    with ThreadPoolExecutor() as pool:  # OpenCV works outside the interpreter's lock
        tp, predicted = np.array(list(pool.map(counted, thresholds))).T
    positives = np.int64(cv2.countNonZero(truth))
    return Counts(tp, predicted - tp, positives, truth.size - positives)


PROTOCOL = dataclasses.replace(
    paper.PROTOCOL,
    name="paper-cleaned",
    definition=f"as paper, but at each threshold the prediction is dilated by {DILATION}x{DILATION} and "
    f"then loses its components (8-connected) of fewer than {SMALLEST_OBJECT} pixels; the two sizes are ours, the "
    "paper gives none",
    source='GSR-Net 4.1: "dilate and threshold connected components to remove small noisy particles"; 4.2 as paper',
    look=look,
    by_default=False,
)
