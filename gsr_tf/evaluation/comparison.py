"""Two evaluations of the same pictures: their difference, with an interval that knows they are the same pictures."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gsr_tf.answers.cells import text_of
from gsr_tf.errors import UserError
from gsr_tf.evaluation import outputs
from gsr_tf.evaluation.accumulator import interval
from gsr_tf.evaluation.evaluator import MASK_CHECKSUM

# What is known of a picture's mask: whether there is one, how much it covers, and what tells it from others.
TRUTH = ("manipulated", "share", MASK_CHECKSUM)


class ComparisonError(UserError):
    """Evaluations that are not finished, not over the same pictures, or not by the same protocols."""


class Difference(NamedTuple):
    """A metric of one evaluation minus that of another.

    Attributes:
        protocol: by which both were scored.
        metric: of that protocol.
        value: first minus second; NaN where one of them is undefined.
        low: of the 95 % interval.
        high: of the 95 % interval.
        at_most_zero: share of the bootstrap replicates with a difference in which the first is not better; NaN for
            none.
    """

    protocol: str
    metric: str
    value: float
    low: float
    high: float
    at_most_zero: float


def compare(first: str | os.PathLike, second: str | os.PathLike) -> list[Difference]:
    """Compares two evaluations, each a folder that `evaluate` wrote.

    A picture is resampled alike in both, so what is hard for both methods cancels out of the difference. Protocols that
    an earlier version defined otherwise are left out.

    Raises:
        ComparisonError: a folder without a whole evaluation, the two are over different pictures or masks, or have no
            score in common.
    """
    _same_pictures(Path(first), Path(second))
    one, other = (_scores(Path(path)) for path in (first, second))
    left_out = _redefined(*map(_summary, (first, second)))
    common = [key for key in one if key in other and key.partition("/")[0] not in left_out]
    if left_out and not common:
        raise ComparisonError(f"{_other_definitions(left_out, second)}: no score in common")
    if not common:
        raise ComparisonError(
            f"{first} has scores of {_protocols(one)}, {second} of {_protocols(other)}: none in common; evaluate both "
            "with the same --protocols"
        )
    return [_difference(key, one[key] - other[key]) for key in common]


def _redefined(first: dict, second: dict) -> list[str]:
    """The protocols by which two summaries were scored, in an earlier version by another definition."""
    one, other = (summary.get("protocols", {}) for summary in (first, second))
    return [name for name in one if name in other and one[name]["definition"] != other[name]["definition"]]


def remarks(first: str | os.PathLike, second: str | os.PathLike) -> list[str]:
    """What is to be said beside the differences of two evaluations, a line each."""
    one, other = _summary(first), _summary(second)
    lines = [_other_definitions(names, second)] if (names := _redefined(one, other)) else []
    # Scores of a model depend on other sources than those of a method without weights.
    alike = bool(one.get("method_fingerprint")) == bool(other.get("method_fingerprint"))
    if alike and one.get("scoring") != other.get("scoring"):
        lines.append(f"{second} was scored by another version of the code, which may count otherwise")
    return lines


def _summary(path: str | os.PathLike) -> dict:
    return outputs.read_summary(path) or {}


def _other_definitions(names: list[str], path: str | os.PathLike) -> str:
    return f"{path} was scored by other definitions of {', '.join(names)}, left out here; evaluate it anew"


def check(path: str | os.PathLike) -> None:
    """Raises ComparisonError for a folder that holds no whole evaluation."""
    _truths(Path(path))
    _scores(Path(path))


def _scores(path: Path) -> dict[str, np.ndarray]:
    """Protocol/metric -> [1 + replicates]."""
    stored = outputs.read_replicates(path)
    if stored is None:
        raise ComparisonError(f"{path}: {outputs.REPLICATES} is missing or damaged; evaluate it anew")
    return {key: rows for key, rows in stored.items() if "/" in key and not key.startswith("curve/")}


def _protocols(scores: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(key.partition("/")[0] for key in scores)) or "no protocol"


def _difference(key: str, rows: np.ndarray) -> Difference:
    defined = rows[1:][np.isfinite(rows[1:])]
    at_most_zero = float(np.mean(defined <= 0)) if len(defined) else float("nan")
    return Difference(*key.split("/"), float(rows[0]), *interval(defined), at_most_zero)


def _same_pictures(first: Path, second: Path) -> None:
    one, other = _truths(first), _truths(second)
    if lone := sorted(one.keys() ^ other.keys()):
        raise ComparisonError(
            f"{first} and {second} are over different pictures, so their difference means nothing: {len(lone)} are in "
            f"one only, the first {lone[0]}; evaluate both on the same list"
        )
    counted, others = (_summary(path).get("pictures", {}).get("scored") for path in (first, second))
    if counted != others:
        raise ComparisonError(
            f"{first} counted {counted} pictures, {second} {others}: an earlier version took one with several masks "
            "for several; evaluate both anew"
        )
    if differ := [name for name, truth in one.items() if _contradict(truth, other[name])]:
        raise ComparisonError(
            f"{first} and {second} were scored against different masks, so their difference means nothing: those of "
            f"{len(differ)} pictures, the first {differ[0]}; evaluate both anew"
        )


def _contradict(one: dict[str, str], other: dict[str, str]) -> bool:
    return any(one[key] != other[key] for key in one.keys() & other.keys())


def _truths(path: Path) -> dict[str, dict[str, str]]:
    """`TRUTH` of each picture, by its name; evaluations by earlier versions have no checksum."""
    try:
        with (path / outputs.PER_IMAGE).open(encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (FileNotFoundError, NotADirectoryError):
        raise ComparisonError(f"{path}: no {outputs.PER_IMAGE}; give the --output of a finished evaluation") from None
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        name = text_of(row["name"])
        if name in found:  # earlier versions wrote some names alike
            raise ComparisonError(f"{path}: {outputs.PER_IMAGE} has two pictures {name}; evaluate it anew")
        found[name] = {key: row[key] for key in TRUTH if key in row}
    return found


def describe(difference: Difference, other: str | os.PathLike) -> str:
    """A difference as it is printed."""
    how = f"({difference.protocol}, paired by picture)"
    if np.isnan(difference.value):
        return f"{difference.metric:>20} undefined against {other}  {how}"
    bounds = f"[{difference.low:+.4f}, {difference.high:+.4f}]"
    return (
        f"{difference.metric:>20} {difference.value:+.4f} {bounds} against {other}, "
        f"not better in {difference.at_most_zero:.1%} of replicates  {how}"
    )
