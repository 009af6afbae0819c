"""Streaming evaluation of score maps under several protocols at once."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence

import numpy as np

from gsr_tf.evaluation import metrics, views
from gsr_tf.evaluation.accumulator import Accumulator, resample
from gsr_tf.evaluation.metrics import PROBABILITY_GRID, Counts
from gsr_tf.evaluation.protocols import Protocol
from gsr_tf.evaluation.scores import Score
from gsr_tf.evaluation.values import at_half

CURVES = ("f1", "mcc")
Row = dict[str, object]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a pass over a data set found.

    Attributes:
        scores: protocol -> metric -> Score; only protocols that had a picture.
        rows: one a picture, in order: what the per-image CSV says of it.
        thresholds: [t] the grid of the protocols that have none of their own.
        curves: "f1", "mcc" -> [t], averages over the manipulated pictures; NaN where there are none.
    """

    scores: dict[str, dict[str, Score]]
    rows: list[Row]
    thresholds: np.ndarray
    curves: dict[str, np.ndarray]


def describe(name: str, scores: np.ndarray, counts: Counts, thresholds: np.ndarray, manipulated: bool) -> Row:
    """What can be said of one picture alone; numbers that need a mask are left out for an authentic one."""
    row: Row = {
        "name": name,
        "height": scores.shape[0],
        "width": scores.shape[1],
        "manipulated": int(manipulated),
        "share": counts.positives / scores.size,
        "highest score": float(scores.max()),
    }
    if (thresholds == 0.5).any():
        row["marked at 0.5"] = float(at_half(counts.tp + counts.fp, thresholds)[0] / scores.size)
    if manipulated:
        row.update({"auc": float(metrics.roc_auc(counts)), "ap": float(metrics.average_precision(counts))})
        for metric in CURVES:
            curve = getattr(metrics, metric)(counts)
            row.update({f"{metric} at best": curve.max(), f"{metric} best threshold": thresholds[curve.argmax()]})
            row.update({f"{metric} at 0.5": value for value in at_half(curve, thresholds)})
    return row


class Evaluator:
    """Adds up pictures one by one; memory does not grow with their pixels, only by a row each."""

    def __init__(self, protocols: Sequence[Protocol], thresholds: np.ndarray = PROBABILITY_GRID):
        self._protocols, self._thresholds = protocols, thresholds
        self._sums = {protocol.name: Accumulator() for protocol in protocols}
        self._rows: list[Row] = []
        # [manipulated, 2, t] float32 on disk: at which threshold a picture is looked at is known only at the end.
        self._curves = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the evaluator

    def add(self, name: str, scores: np.ndarray, mask: np.ndarray, manipulated: bool = True) -> None:
        """Counts one picture.

        Args:
            name: unique; decides how the bootstrap resamples the picture.
            scores: [h, w] finite scores, higher = manipulated.
            mask: [h, w] bool.
            manipulated: False for an authentic picture, whose mask is empty.
        """
        weights = resample(name)
        seen = {views.native: views.native(scores, mask, self._thresholds)}
        for protocol in self._protocols:
            if protocol.covers(manipulated):
                grid = self._grid(protocol)
                if protocol.view not in seen:
                    seen[protocol.view] = protocol.view(scores, mask, grid)
                self._sums[protocol.name].add(weights, protocol.values(seen[protocol.view], grid))
        counts = seen[views.native]
        self._rows.append(describe(name, scores, counts, self._thresholds, manipulated))
        if manipulated:
            self._curves.write(np.stack([metrics.f1(counts), metrics.mcc(counts)]).astype(np.float32).tobytes())

    def _grid(self, protocol: Protocol) -> np.ndarray:
        return self._thresholds if protocol.thresholds is None else protocol.thresholds

    def finish(self) -> Evaluation:
        """The scores; call once, after the last picture."""
        scores = {
            protocol.name: protocol.scores(self._sums[protocol.name], self._grid(protocol))
            for protocol in self._protocols
            if any(protocol.covers(bool(row["manipulated"])) for row in self._rows)
        }
        return Evaluation(scores, self._rows, self._thresholds, self._at_the_data_sets_best())

    def _at_the_data_sets_best(self) -> dict[str, np.ndarray]:
        """Average curves; adds to each row its F1 and MCC at the threshold that is best for the data set."""
        manipulated = [row for row in self._rows if row["manipulated"]]
        if not manipulated:
            return {name: np.full(len(self._thresholds), np.nan) for name in CURVES}
        self._curves.flush()
        shape = (len(manipulated), len(CURVES), len(self._thresholds))
        stored = np.memmap(self._curves, np.float32, mode="r", shape=shape)
        means = dict(zip(CURVES, stored.mean(axis=0, dtype=np.float64)))
        for index, name in enumerate(CURVES):
            for row, value in zip(manipulated, stored[:, index, means[name].argmax()]):
                row[f"{name} at data set best"] = float(value)
        return means
