"""IMDLBenCo's: 512x512 and 0.5, authentic pictures among the others."""

from __future__ import annotations

import cv2
import numpy as np

from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.metrics import Counts
from gsr_tf.evaluation.protocols.protocol import Protocol, Values, at_half

SIDE = 512


def look(scores: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> Counts:
    """Stretched to 512x512, the size mode `--if_resizing`: the map bilinearly, the mask to the nearest pixel."""
    size = (SIDE, SIDE)
    resized = cv2.resize(np.float32(scores), size, interpolation=cv2.INTER_LINEAR)
    truth = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return metrics.count(resized, truth, thresholds)


def keep(counts: Counts, thresholds: np.ndarray) -> Values:
    """F1 and IoU at 0.5, and ROC-AUC; all of them 0 for an authentic picture."""
    return {
        "f1": at_half(metrics.f1(counts), thresholds),
        "iou": at_half(metrics.iou(counts), thresholds),
        "auc": np.atleast_1d(np.nan_to_num(metrics.roc_auc(counts))),
    }


PROTOCOL = Protocol(
    name="imdlbenco",
    definition="F1 of each listed picture at > 0.5, averaged; an authentic picture scores 0",
    source="IMDLBenCo, evaluation/F1.py and AUC.py, mode origin",
    look=look,
    keep=keep,
    resolution=f"{SIDE}x{SIDE}",
    pictures="all",
    needs_probabilities=True,
)
