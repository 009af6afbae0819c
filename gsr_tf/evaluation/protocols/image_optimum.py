"""Each picture at its own best threshold, which nobody can know without the truth."""

from __future__ import annotations

import numpy as np

from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.metrics import Counts
from gsr_tf.evaluation.protocols.curves import curves
from gsr_tf.evaluation.protocols.protocol import Protocol, Values


def look(scores: np.ndarray, mask: np.ndarray, thresholds: np.ndarray) -> Counts:
    """Every pixel, at every threshold that can be the picture's best; `thresholds` are the data set's and not used."""
    return metrics.count_at_optima(scores, mask)


def keep(counts: Counts, thresholds: np.ndarray) -> Values:
    """The picture's best F1, MCC and IoU, each at its own threshold."""
    return {name: curve.max(keepdims=True) for name, curve in curves(counts, ("f1", "mcc", "iou")).items()}


PROTOCOL = Protocol(
    name="image-optimum",
    definition="each picture's best F1, best MCC and best IoU over all thresholds that tell two of its scores apart, "
    "averaged; polarity as the method gives it",
    source="Huh et al. 2018 (EXIF-consistency), whose numbers Table 1 quotes",
    look=look,
    keep=keep,
)
