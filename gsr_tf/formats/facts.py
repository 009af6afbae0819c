"""What an exported model says of itself, so that whoever has the file knows what it is."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gsr_tf.comparators import given_maps
from gsr_tf.evaluation import outputs
from gsr_tf.formats.agreement import ExportError
from gsr_tf.training.checkpoints import BEST_SCORE_NAME
from gsr_tf.training.restored import last_step
from gsr_tf.training.run_dir import read_facts

FORMAT = 1
LICENCE = "not stated by who exported it; bound by the terms of the training pictures and of the pretrained weights"
THRESHOLD = 0.5  # where no protocol has chosen one


def export_facts(
    run_dir: Path,
    settings: Mapping[str, Any],
    checkpoint: str,
    name: str,
    *,
    scores: Sequence[str] = (),
    threshold: float | None = None,
    centre: float = 0.5,
    licence: str = LICENCE,
) -> dict[str, Any]:
    """The metadata of an export; of folders only names, for their places mean nothing on another machine.

    Args:
        run_dir: the training run.
        settings: the run's, by the names of their flags.
        checkpoint: path of what is exported, inside `run_dir`.
        name: of the model.
        scores: folders of evaluations of the model (python -m gsr_tf.evaluate).
        threshold: in [0, 1], above it a pixel is flagged; None: the one at which the mean F1 of the first of
            `scores` that has one was highest (protocol "paper"), moved where those maps have another centre, 0.5
            without one.
        centre: as `DetectorModule`'s.
        licence: of the weights.

    Returns:
        "format", "name", "licence", "threshold"; "run", "checkpoint", "steps" (that the run has done), "config", and
        of run.json "code", "commit", "records", "versions"; "scores": "validation" (the best checkpoint's, else absent)
        and "evaluations".

    Raises:
        ExportError: a folder of `scores` holds no evaluation, or one of a method that is no model, or the score of the
            best checkpoint is missing or damaged.
        ConfigError: run.json is damaged.
    """
    evaluations = [evaluation(path) for path in scores]
    if threshold is None:
        chosen = (paper_threshold(one, centre) for one in evaluations)
        threshold = next((found for found in chosen if found is not None), THRESHOLD)
    measured = {"evaluations": evaluations}
    if Path(checkpoint).parent.name == "best":
        measured["validation"] = _read_json(run_dir / BEST_SCORE_NAME)
    return {
        "format": FORMAT,
        "name": name,
        "licence": licence,
        "threshold": threshold,
        "run": run_dir.resolve().name,
        "checkpoint": str(Path(checkpoint).relative_to(run_dir)),
        "steps": last_step(run_dir),
        "scores": measured,
        **without_places({"config": dict(settings), **read_facts(run_dir)}),
    }


def evaluation(path: str) -> dict[str, Any]:
    """What an evaluation's folder says, in short; raises ExportError where there is none, or none of a model."""
    summary = outputs.read_summary(path)
    if summary is None:
        raise ExportError(f"--scores={path}: no finished evaluation there; python -m gsr_tf.evaluate makes one")
    said = {
        name: summary[name]
        for name in ("data_set", "data_fingerprint", "method", "postprocessing", "pictures", "scores")
    }
    said["centre"] = summary.get("centre", 0.5)
    # Models have weights, whose fingerprint it names, and give probabilities, which have thresholds up to 1.
    fingerprint = summary["method_fingerprint"]
    of_a_model = fingerprint and not fingerprint.startswith(given_maps.FINGERPRINT)
    if not of_a_model or not 0 <= (paper_threshold(said, said["centre"]) or 0) <= 1:
        raise ExportError(
            f"--scores={path}: an evaluation of {summary['method']}, which is another method; expected one of the "
            "model that is exported"
        )
    return said


def paper_threshold(evaluated: dict[str, Any], centre: float) -> float | None:
    """The threshold of the paper's protocol, of its F1, in maps of this centre; None of an evaluation without it."""
    found = [line["threshold"] for line in evaluated["scores"] if (line["protocol"], line["metric"]) == ("paper", "f1")]
    threshold = next(iter(found), None)
    return None if threshold is None else _moved(threshold, evaluated["centre"], centre)


def _moved(threshold: float, before: float, after: float) -> float:
    """A threshold, moved with the maps from one centre to another: in logits by their difference."""
    odds = before * (1 - after) / ((1 - before) * after)  # 1 to the bit where the two are one
    return threshold * odds / (1 + threshold * (odds - 1))


def without_places(value: Any) -> Any:
    """JSON values with every absolute path cut to its name."""
    if isinstance(value, dict):
        return {name: without_places(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(without_places(part) for part in value)
    return os.path.basename(value) if isinstance(value, str) and os.path.isabs(value) else value


def read_beside(file: Path) -> dict[str, Any]:
    """What an exported file says of itself, in FILE.json; empty where that is not there, ExportError when damaged."""
    path = file.with_name(f"{file.name}.json")
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as error:
        raise ExportError(f"{path}: damaged ({error}); export the weights again") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        fault = "missing" if isinstance(error, FileNotFoundError) else f"damaged ({error})"
        raise ExportError(f"{path}: {fault}; --checkpoint=newest exports without it") from error
