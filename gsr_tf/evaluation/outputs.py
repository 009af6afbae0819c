"""What an evaluation leaves in its folder, each file written aside and renamed.

summary.json     every score with its protocol, interval and count; configuration, fingerprints, versions, skips
per_image.csv    one line a picture, or one for each of its masks
replicates.npz   every score in every bootstrap replicate, and the average curves: for comparing and for frozen
                 thresholds
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import platform
import zipfile
import zlib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

from gsr_tf.answers.cells import cell
from gsr_tf.data.writing import write_atomically
from gsr_tf.evaluation.accumulator import interval
from gsr_tf.evaluation.evaluator import CURVES, Evaluation
from gsr_tf.evaluation.protocols import PROTOCOLS

SUMMARY, PER_IMAGE, REPLICATES = "summary.json", "per_image.csv", "replicates.npz"
PACKAGES = ("gsr_tf", "tensorflow", "numpy", "opencv-python-headless", "scipy", "PyWavelets", "Pillow", "scikit-image")


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _number(value: float) -> float | None:
    """JSON has no NaN and no infinities: an undefined score is null, and so is the threshold below every score."""
    return None if value is None or not math.isfinite(value) else float(value)


def score_lines(evaluation: Evaluation) -> list[dict]:
    """One dict a score: protocol, metric, value, its 95 % interval, threshold, pictures, resolution.

    Instead of "pictures" it has "pairs", (picture, mask), where these are more.
    """
    lines, several = [], len(evaluation.table["name"]) > len(evaluation.pictures["name"])
    for name, scores in evaluation.scores.items():
        protocol = PROTOCOLS[name]
        unit = "pairs" if several and protocol.covers(manipulated=True) and not protocol.once else "pictures"
        for metric, score in scores.items():
            low, high = interval(score.rows[1:])
            lines.append(
                {
                    "protocol": name,
                    "metric": metric,
                    "value": _number(score.rows[0]),
                    "low": _number(low),
                    "high": _number(high),
                    "threshold": _number(score.threshold),
                    unit: score.pictures,
                    "resolution": protocol.resolution,
                }
            )
    return lines


def as_csv(columns: dict[str, Sequence]) -> str:
    """CSV text of columns of equal length; what is not a number is left empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values()):
        writer.writerow([cell(value) if isinstance(value, str) else _number_cell(value) for value in row])
    return text.getvalue()


def _number_cell(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.9g}"


def write(path: str | os.PathLike, evaluation: Evaluation, skipped: list[tuple[str, str]], setting: dict) -> dict:
    """Writes an evaluation's three files, the summary last: a folder with one is finished.

    Args:
        path: the folder; made if need be.
        evaluation: what to write.
        skipped: (name, reason) of pictures that were not scored.
        setting: what was evaluated on what: goes into the summary as it is.

    Returns:
        The summary.
    """
    path = Path(path)
    scored, manipulated = len(evaluation.pictures["name"]), int(evaluation.pictures["manipulated"].sum())
    summary = {
        **setting,
        "pictures": {
            "scored": scored,
            "manipulated": manipulated,
            "authentic": scored - manipulated,
            "skipped": len(skipped),
        },
        "scores": score_lines(evaluation),
        "skipped": [{"name": name, "reason": reason} for name, reason in skipped],
        "versions": versions(),
    }
    replicates = _replicates(evaluation)
    (path / SUMMARY).unlink(missing_ok=True)  # an earlier pass's would call finished what is half of this one
    write_atomically(path / REPLICATES, replicates)
    write_atomically(path / PER_IMAGE, as_csv(evaluation.table).encode())
    write_atomically(
        path / SUMMARY, json.dumps(summary, indent=1, ensure_ascii=False).encode(errors="backslashreplace")
    )
    return summary


def _replicates(evaluation: Evaluation) -> bytes:
    """The contents of replicates.npz."""
    replicates = {
        f"{name}/{metric}": score.rows for name, scores in evaluation.scores.items() for metric, score in scores.items()
    }
    curves = {f"curve/{name}": evaluation.curves[name] for name in CURVES}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, thresholds=evaluation.thresholds, **curves, **replicates)
    return buffer.getvalue()


def read_summary(path: str | os.PathLike) -> dict | None:
    """The summary of a finished evaluation; None where there is none that can be read."""
    try:
        summary = json.loads((Path(path) / SUMMARY).read_bytes())
    except (OSError, ValueError):
        return None
    return summary if isinstance(summary, dict) else None


def read_replicates(path: str | os.PathLike) -> dict[str, np.ndarray] | None:
    """The arrays of a finished evaluation, by name; None where there are none that can be read."""
    try:
        with np.load(Path(path) / REPLICATES) as stored:
            return dict(stored)
    except (OSError, EOFError, ValueError, TypeError, RuntimeError, zipfile.BadZipFile, zlib.error):
        return None


def shown(value: float | None) -> str:
    """A score with four decimals."""
    return "undefined" if value is None else f"{value:.4f}"


def without_score(summary: dict) -> list[str]:
    """The protocols of a summary that have no score in it."""
    scored = {line["protocol"] for line in summary["scores"]}
    return [name for name in summary["protocols"] if name not in scored]


def over(line: dict) -> str:
    """What a score is over."""
    return f"{line['pairs']} (picture, mask) pairs" if "pairs" in line else f"{line['pictures']} pictures"


def describe_score(line: dict, data_set: str) -> str:
    """A score as it is printed: never without its protocol, data set, count and resolution."""
    value = f"{shown(line['value'])} [{shown(line['low'])}, {shown(line['high'])}]"
    threshold = "" if line["threshold"] is None else f" at > {line['threshold']:.4g}"
    where = f"{line['protocol']}, {data_set}, {over(line)}, {line['resolution']}"
    return f"{line['metric']:>20} {value}{threshold}  ({where})"
