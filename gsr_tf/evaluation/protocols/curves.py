"""Metrics at every threshold, and what is read off their averages: each row of a curve at its own threshold.

A row is the estimate or a bootstrap replicate of it.
"""

from __future__ import annotations

import numpy as np

from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.metrics import Counts
from gsr_tf.evaluation.protocols.protocol import Values

THRESHOLDED = ("f1", "mcc", "iou", "precision", "recall")


def curves(counts: Counts, names: tuple[str, ...] = THRESHOLDED) -> Values:
    """Metrics of a picture at every threshold: name -> [t]."""
    return {name: getattr(metrics, name)(counts) for name in names}


def at(rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """[rows] of [rows, t]: each row's value at its own threshold, whose number is in `chosen`, [rows]."""
    return np.take_along_axis(rows, chosen[:, None], axis=1)[:, 0]
