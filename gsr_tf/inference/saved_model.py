"""Writing a detector as a SavedModel, proved on pictures before anyone relies on it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from gsr_tf.inference.module import DetectorModule

METADATA = "assets.extra/gsr_tf.json"
TOLERANCE = 1e-5


class ExportError(RuntimeError):
    """A SavedModel that could not be written, or that does not do what the network does."""


def save(detector: DetectorModule, output: Path, metadata: Mapping) -> float:
    """Writes, reloads and compares; the folder appears under its name only when they agree.

    Args:
        detector: what is saved.
        output: folder to make; must not exist.
        metadata: written as JSON inside.

    Returns:
        The largest difference between the network's and the SavedModel's probabilities on the trial pictures.

    Raises:
        ExportError: `output` exists, cannot be written, or the reloaded model differs by more than 1e-5.
    """
    if output.exists():
        raise ExportError(f"--output={output} exists already; remove it or choose another folder")
    aside = output.with_name(f".{output.name}.tmp")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        tf.saved_model.save(detector, str(aside), signatures=detector.__call__)
        (aside / METADATA).parent.mkdir()
        (aside / METADATA).write_text(json.dumps(metadata, indent=2) + "\n")
        worst = largest_difference(detector, tf.saved_model.load(str(aside)))
        if worst > TOLERANCE:
            raise ExportError(
                f"the reloaded model differs from the network by {worst:.2g}; at most {TOLERANCE:g} is right"
            )
        aside.rename(output)
    except (OSError, tf.errors.OpError) as error:
        raise ExportError(f"--output={output}: could not be written ({error})") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return worst


def load(path: str | Path, flag: str = "--saved_model") -> tf.Module:
    """An exported detector, called as `DetectorModule` is; ExportError when there is none at `path`."""
    try:
        detector = tf.saved_model.load(str(path))
    except (OSError, tf.errors.OpError) as error:
        raise ExportError(f"{flag}={path}: not a SavedModel folder; python -m gsr_tf.export makes one") from error
    signature = detector.signatures.get("serving_default")
    if signature is None or "probability" not in signature.structured_outputs or not callable(detector):
        raise ExportError(f"{flag}={path}: a SavedModel, but not a detector; python -m gsr_tf.export makes one")
    return detector


def read_metadata(path: str | Path) -> dict:
    """What `save` wrote down; empty for a SavedModel without it."""
    try:
        return json.loads((Path(path) / METADATA).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def fingerprint(path: str | Path) -> str:
    """Of the graph and the weights: sixteen hexadecimal digits."""
    digest = hashlib.sha256()
    for file in [Path(path) / "saved_model.pb", *sorted((Path(path) / "variables").glob("*"))]:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]


def largest_difference(one: DetectorModule, other: DetectorModule) -> float:
    """The largest difference of two detectors' maps on trial pictures of several shapes."""
    return max(
        float(np.max(np.abs(ours.numpy() - theirs.numpy())))
        for image in trial_pictures()
        for ours, theirs in [(one(image)["probability"], other(image)["probability"])]
    )


def trial_pictures() -> list[np.ndarray]:
    """Pictures that a detector must take: landscape, portrait, tiny; smooth colours with noise, [h, w, 3] uint8."""
    random = np.random.default_rng(0)
    pictures = []
    for height, width in ((240, 320), (333, 211), (1, 1)):
        slope = np.linspace(0, 200, width)[np.newaxis, :, np.newaxis] + np.zeros([height, 1, 3])
        pictures.append((slope + random.integers(0, 56, [height, width, 3])).astype(np.uint8))
    return pictures
