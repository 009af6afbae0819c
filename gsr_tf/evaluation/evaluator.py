"""Streaming evaluation of score maps under several protocols at once."""

from __future__ import annotations

import dataclasses
import tempfile
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gsr_tf.data import temporary
from gsr_tf.evaluation import metrics
from gsr_tf.evaluation.accumulator import Accumulator, resample
from gsr_tf.evaluation.metrics import PROBABILITY_GRID, Counts
from gsr_tf.evaluation.protocols.protocol import Protocol, Score, Table, Values, at_half, native

CURVES = ("f1", "mcc")
CURVES_OF_PICTURES = "the curves of the pictures that were scored"
MASK_CHECKSUM = "mask checksum"
# What is said of one picture; not a number where it does not apply. At best: of the run's thresholds.
COLUMNS = (
    "height",
    "width",
    "manipulated",
    "share",
    MASK_CHECKSUM,
    "highest score",
    "marked at 0.5",
    "auc",
    "ap",
    *(f"{name} {where}" for name in CURVES for where in ("at best", "best threshold", "at 0.5")),
)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a pass over a data set found.

    Attributes:
        scores: protocol -> metric -> Score; only protocols that had a picture.
        table: "name", `COLUMNS`, and "f1 at data set best", "mcc at data set best" -> [items], in order.
        pictures: "name", `COLUMNS` -> [pictures], in order: of one with several masks, each an item, its first.
        thresholds: [t] the grid of the protocols that have none of their own.
        curves: "f1", "mcc" -> [t], averages over the manipulated pictures; NaN where there are none.
    """

    scores: dict[str, dict[str, Score]]
    table: Table
    pictures: Table
    thresholds: np.ndarray
    curves: dict[str, np.ndarray]


class Counted(NamedTuple):
    """One picture, counted; all that its scores need of it.

    Attributes:
        row: [columns] what `COLUMNS` says of it.
        kept: protocol -> what it keeps of the picture; only of protocols that cover it.
        curves: [2, t] F1 and MCC at each threshold; None for an authentic picture.
    """

    row: np.ndarray
    kept: dict[str, Values]
    curves: np.ndarray | None


def count(
    protocols: Sequence[Protocol], thresholds: np.ndarray, scores: np.ndarray, mask: np.ndarray, manipulated: bool
) -> Counted:
    """Counts one picture.

    Args:
        protocols: which scores.
        thresholds: [t] of the protocols that have none of their own.
        scores: [h, w] finite scores, higher = manipulated.
        mask: [h, w] bool.
        manipulated: False for an authentic picture, whose mask is empty.
    """
    counts = native(scores, mask, thresholds)
    seen = {(native, id(thresholds)): counts}  # protocols that look alike share what they see
    kept = {}
    for protocol in protocols:
        if protocol.covers(manipulated):
            grid = _grid(protocol, thresholds)
            key = protocol.look, id(grid)
            if key not in seen:
                seen[key] = protocol.look(scores, mask, grid)
            kept[protocol.name] = protocol.keep(seen[key], grid)
    curves = np.stack([getattr(metrics, name)(counts) for name in CURVES]) if manipulated else None
    return Counted(describe(scores, mask, counts, thresholds, curves), kept, curves)


def _grid(protocol: Protocol, thresholds: np.ndarray) -> np.ndarray:
    return thresholds if protocol.thresholds is None else protocol.thresholds


def mask_checksum(mask: np.ndarray) -> int:
    """Of the pixels of a mask, [h, w] bool; below 2 ** 29, so that the nine digits of a table's numbers hold it."""
    return zlib.crc32(np.packbits(mask)) >> 3


def describe(
    scores: np.ndarray, mask: np.ndarray, counts: Counts, thresholds: np.ndarray, curves: np.ndarray | None
) -> np.ndarray:
    """[columns] what `COLUMNS` says of one picture, whose `curves` are as `Counted` has them."""
    manipulated = curves is not None
    share = counts.positives / scores.size
    marked = _one(at_half(counts.tp + counts.fp, thresholds) / scores.size)
    checksum = mask_checksum(mask) if manipulated else np.nan
    row = [*scores.shape, manipulated, share, checksum, scores.max(), marked]
    if not manipulated:
        return np.array(row + [np.nan] * (len(COLUMNS) - len(row)))
    row += [metrics.roc_auc(counts), metrics.average_precision(counts)]
    for curve in curves:
        row += [curve.max(), thresholds[curve.argmax()], _one(at_half(curve, thresholds))]
    return np.array(row, np.float64)


def _one(values: np.ndarray) -> float:
    return values[0] if values.size else np.nan


def _table(names: list[str], rows: np.ndarray) -> Table:
    return {"name": np.array(names, object), **dict(zip(COLUMNS, rows.T))}


class Evaluator:
    """Adds up pictures one by one; memory does not grow with their pixels, only by a short row each."""

    def __init__(self, protocols: Sequence[Protocol], thresholds: np.ndarray = PROBABILITY_GRID):
        self._protocols, self._thresholds = protocols, thresholds
        self._sums = {protocol.name: Accumulator() for protocol in protocols}
        self._names: list[str] = []
        self._firsts: dict[str, int] = {}  # a picture's name -> the row of its first item
        self._rows: list[np.ndarray] = []
        self._curve_sum = np.zeros((len(CURVES), len(thresholds)))
        # [manipulated, 2, t] float32 on disk: at which threshold a picture is looked at is known only at the end.
        with temporary.explained(CURVES_OF_PICTURES):
            self._curves = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the evaluator

    def add(self, name: str, scores: np.ndarray, mask: np.ndarray, manipulated: bool = True) -> None:
        """Counts one picture of a unique name and adds it; the other arguments as those of `count`."""
        self.add_counted(name, name, count(self._protocols, self._thresholds, scores, mask, manipulated))

    def add_counted(self, name: str, picture: str, counted: Counted) -> None:
        """Adds one picture, or one of its masks.

        Args:
            name: unique.
            picture: the picture's, which decides how the bootstrap resamples it: with all its masks.
            counted: by this evaluator's protocols and thresholds.
        """
        weights = resample(picture)
        first = self._firsts.setdefault(picture, len(self._rows)) == len(self._rows)
        for protocol in self._protocols:
            if protocol.name in counted.kept and (first or not protocol.once):
                self._sums[protocol.name].add(weights, counted.kept[protocol.name])
        self._names.append(name)
        self._rows.append(counted.row)
        if counted.curves is not None:
            self._curve_sum += counted.curves
            with temporary.explained(CURVES_OF_PICTURES):
                self._curves.write(counted.curves.astype(np.float32).tobytes())

    def finish(self) -> Evaluation:
        """The scores; call once, after the last picture."""
        rows = np.reshape(self._rows, (-1, len(COLUMNS)))
        table = _table(self._names, rows)
        pictures = _table(list(self._firsts), rows[list(self._firsts.values())])
        manipulated = table["manipulated"] > 0
        scores = {
            protocol.name: {
                **protocol.rank(pictures),
                **protocol.score(self._sums[protocol.name], _grid(protocol, self._thresholds)),
            }
            for protocol in self._protocols
            if any(protocol.covers(kind) for kind in np.unique(manipulated))
        }
        with np.errstate(invalid="ignore"):
            curves = self._curve_sum / manipulated.sum()
        for name, column in zip(CURVES, self._at(curves.argmax(axis=1))):
            table[f"{name} at data set best"] = np.full(len(rows), np.nan)
            table[f"{name} at data set best"][manipulated] = column
        return Evaluation(scores, table, pictures, self._thresholds, dict(zip(CURVES, curves)))

    def _at(self, chosen: np.ndarray) -> np.ndarray:
        """[2, manipulated] each picture's curves at the thresholds of these numbers, [2]; read back piece by piece."""
        with temporary.explained(CURVES_OF_PICTURES):
            self._curves.seek(0)
        size = self._curve_sum.astype(np.float32).nbytes
        columns = [np.zeros((len(CURVES), 0))]
        while piece := self._curves.read(1024 * size):
            curves = np.frombuffer(piece, np.float32).reshape(-1, *self._curve_sum.shape)
            columns.append(np.stack([curves[:, index, at] for index, at in enumerate(chosen)]))
        return np.concatenate(columns, axis=1)
