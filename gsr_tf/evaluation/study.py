"""A method on a data set as it is, then under attacks: scores re-optimised and with the thresholds of before."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gsr_tf.comparators.method import Method
from gsr_tf.data.writing import write_atomically
from gsr_tf.evaluation import attacks, outputs, pieces, runner, scoring
from gsr_tf.evaluation.attacks import Attack
from gsr_tf.evaluation.evaluator import CURVES, Evaluation
from gsr_tf.evaluation.items import Item
from gsr_tf.evaluation.protocols.protocol import Protocol
from gsr_tf.inference.postprocessing import POSTPROCESSING

ROBUSTNESS = "robustness.csv"


class DataSet(NamedTuple):
    """What is evaluated on.

    Attributes:
        name: as printed.
        fingerprint: as printed, the same on every machine.
        items: its pictures.
        files: tells of the files behind them what says whether they changed since, where the fingerprint does not.
    """

    name: str
    fingerprint: str
    items: Sequence[Item]
    files: Callable[[], str] = lambda: ""


# How one pass is made: (its folder, the data set, the scorer, the protocols, the thresholds, the setting) -> what
# `runner.evaluate` returns, to the bit.
Evaluate = Callable[
    [Path, DataSet, runner.Scorer, Sequence[Protocol], np.ndarray, dict], tuple[Evaluation, list[tuple[str, str]]]
]


def here(
    path: Path,
    data_set: DataSet,
    scorer: runner.Scorer,
    protocols: Sequence[Protocol],
    thresholds: np.ndarray,
    setting: dict,
) -> tuple[Evaluation, list[tuple[str, str]]]:
    """A pass in this process; pieces that an interrupted pass of this setting left are not scored again."""
    folder = pieces.folder_of(path, setting, thresholds)
    kept = functools.partial(pieces.outcomes, folder=folder)
    result = runner.evaluate(data_set.items, scorer, protocols, thresholds, kept)
    if folder.parent.exists():
        shutil.rmtree(folder.parent)
    return result


def setting_of(data_set: DataSet, method: Method, attack: Attack, post: str, protocols: Sequence[Protocol]) -> dict:
    """All that the numbers depend on: two passes with the same setting give the same numbers."""
    # Of a map as its network gives it nothing is said, as in evaluations of earlier versions, which stay finished.
    moved = {} if method.centre == 0.5 else {"centre": method.centre}
    return {
        "data_set": data_set.name,
        "data_fingerprint": data_set.fingerprint,
        "data_files": data_set.files(),
        "method": method.name,
        "method_fingerprint": method.fingerprint,
        **moved,
        "scoring": scoring.fingerprint(method),
        "attack": attack.name,
        "postprocessing": post,
        "protocols": {one.name: {"definition": one.definition, "source": one.source} for one in protocols},
    }


def finished(path: Path, setting: dict) -> dict | None:
    """The summary that a finished pass of this setting left in `path`; None where a file is gone or damaged."""
    summary = outputs.read_summary(path)
    if summary is None or any(summary.get(key) != value for key, value in setting.items()):
        return None
    return summary if (path / outputs.PER_IMAGE).is_file() and outputs.read_replicates(path) else None


def _pass(
    path: Path,
    data_set: DataSet,
    scorer: runner.Scorer,
    protocols: Sequence[Protocol],
    setting: dict,
    evaluate: Evaluate,
) -> dict:
    """One pass into `path`, or what a finished pass of the same setting left there."""
    if summary := finished(path, setting):
        return summary
    if scorer.attack is attacks.NONE:
        thresholds = runner.threshold_grid(data_set.items, scorer)
    else:  # the clean pass's, two folders up: a threshold can be frozen only on one grid
        thresholds = np.load(path.parents[1] / outputs.REPLICATES)["thresholds"]
    return outputs.write(path, *evaluate(path, data_set, scorer, protocols, thresholds, setting), setting)


def run(
    path: str | os.PathLike,
    data_set: DataSet,
    method: Method,
    protocols: Sequence[Protocol],
    attacked_by: Sequence[Attack] = (),
    postprocessing: str = "none",
    evaluate: Evaluate = here,
) -> dict[str, dict]:
    """Evaluates into `path`, attacks into `path/attacks/<name>`; passes that are finished there are not done again.

    Returns:
        Attack's name -> summary, "none" first.
    """
    path, summaries = Path(path), {}
    for attack in (attacks.NONE, *attacked_by):
        scorer = runner.Scorer(method, attack, POSTPROCESSING[postprocessing])
        setting = setting_of(data_set, method, attack, postprocessing, protocols)
        summaries[attack.name] = _pass(_folder(path, attack.name), data_set, scorer, protocols, setting, evaluate)
    if attacked_by:
        write_atomically(path / ROBUSTNESS, outputs.as_csv(robustness(path, list(summaries))).encode())
    return summaries


def _folder(path: Path, attack: str) -> Path:
    """Where the pass under an attack of this name is."""
    return path if attack == attacks.NONE.name else path / "attacks" / attack


def robustness(path: str | os.PathLike, names: Sequence[str]) -> dict[str, list]:
    """The paper's F1 and MCC under each attack, as columns.

    Args:
        path: the folder of `run`.
        names: attacks, "none" first.

    Returns:
        "attack", and for F1 and MCC "... re-optimised" (the best threshold under the attack) and "... frozen" (the
        threshold that was best without), and "pictures" (manipulated ones that were scored: rows of other numbers are
        averages over other pictures), each [attacks].
    """
    curves, pictures = [], []
    for name in names:
        folder = _folder(Path(path), name)
        stored = np.load(folder / outputs.REPLICATES)
        curves.append([stored[f"curve/{metric}"] for metric in CURVES])
        pictures.append(outputs.read_summary(folder)["pictures"]["manipulated"])
    columns: dict[str, list] = {"attack": list(names)}
    for metric, stack in zip(CURVES, np.moveaxis(curves, 1, 0)):
        columns[f"{metric} re-optimised"] = stack.max(axis=1).tolist()
        columns[f"{metric} frozen"] = stack[:, stack[0].argmax()].tolist()
    columns["pictures"] = pictures
    return columns
