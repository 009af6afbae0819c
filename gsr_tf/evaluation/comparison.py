"""Two evaluations of the same pictures: their difference, with an interval that knows they are the same pictures."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gsr_tf.errors import UserError
from gsr_tf.evaluation import outputs
from gsr_tf.evaluation.accumulator import interval


class ComparisonError(UserError):
    """Evaluations that are not finished, or not over the same pictures."""


class Difference(NamedTuple):
    """A metric of one evaluation minus that of another.

    Attributes:
        protocol: by which both were scored.
        metric: of that protocol.
        value: first minus second.
        low: of the 95 % interval.
        high: of the 95 % interval.
        at_most_zero: share of bootstrap replicates in which the first is not better.
    """

    protocol: str
    metric: str
    value: float
    low: float
    high: float
    at_most_zero: float


def compare(first: str | os.PathLike, second: str | os.PathLike) -> list[Difference]:
    """Compares two evaluations, each a folder that `evaluate` wrote.

    A picture is resampled alike in both, so what is hard for both methods cancels out of the difference.

    Raises:
        ComparisonError: a folder without an evaluation, or the two are over different pictures.
    """
    _same_pictures(Path(first), Path(second))
    one, other = (np.load(Path(path) / outputs.REPLICATES) for path in (first, second))
    differences = []
    for key in one.files:
        if key in other.files and key.count("/") == 1 and not key.startswith("curve/"):
            rows = one[key] - other[key]
            at_most_zero = float(np.mean(rows[1:] <= 0))
            differences.append(Difference(*key.split("/"), float(rows[0]), *interval(rows[1:]), at_most_zero))
    return differences


def _same_pictures(first: Path, second: Path) -> None:
    one, other = _names(first), _names(second)
    if one != other:
        lone = sorted(one ^ other)
        raise ComparisonError(
            f"{first} and {second} are over different pictures, so their difference means nothing: {len(lone)} are in "
            f"one only, the first {lone[0]}; evaluate both on the same list"
        )


def _names(path: Path) -> set[str]:
    try:
        with (path / outputs.PER_IMAGE).open(encoding="utf-8") as stream:
            return {row["name"] for row in csv.DictReader(stream)}
    except FileNotFoundError:
        raise ComparisonError(f"{path}: no {outputs.PER_IMAGE}; give the --output of a finished evaluation") from None


def describe(difference: Difference, other: str | os.PathLike) -> str:
    """A difference as it is printed."""
    bounds = f"[{difference.low:+.4f}, {difference.high:+.4f}]"
    return (
        f"{difference.metric:>20} {difference.value:+.4f} {bounds} against {other}, "
        f"not better in {difference.at_most_zero:.1%} of replicates  ({difference.protocol}, paired by picture)"
    )
