"""All pictures' pixels as one picture's."""

from __future__ import annotations

import numpy as np

from gsr_tf.evaluation.accumulator import Accumulator
from gsr_tf.evaluation.protocols import pixels
from gsr_tf.evaluation.protocols.curves import curves
from gsr_tf.evaluation.protocols.protocol import Protocol, Score, Scores, at_half


def score(sums: Accumulator, thresholds: np.ndarray) -> Scores:
    """F1, MCC and IoU at their best thresholds and at 0.5, and the areas."""
    scores, pictures = pixels.areas(sums), sums.pictures("tp")
    for name, rows in curves(pixels.total(sums), ("f1", "mcc", "iou")).items():
        scores[name] = Score(rows.max(axis=1), float(thresholds[rows[0].argmax()]), pictures)
        if at_half(thresholds, thresholds).size:
            scores[f"{name} at 0.5"] = Score(at_half(rows, thresholds)[:, 0], 0.5, pictures)
    return scores


PROTOCOL = Protocol(
    name="pooled",
    definition="the pixels of all pictures as one: large pictures and large regions weigh more",
    source="photoholmes (torchmetrics over the data set)",
    keep=pixels.keep,
    score=score,
)
