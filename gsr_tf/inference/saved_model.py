"""Reading an exported detector: a SavedModel, what it says of itself, which one it is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import tensorflow as tf

from gsr_tf.errors import UserError

METADATA = "assets/gsr_tf.json"


class DetectorError(UserError):
    """No detector where one was expected; the message names the flag that gave it."""


def load(path: str | Path, flag: str = "--saved_model") -> tf.Module:
    """An exported detector, called as `DetectorModule` is; DetectorError when there is none at `path`."""
    try:
        detector = tf.saved_model.load(str(path))
    except (OSError, tf.errors.OpError) as error:
        raise DetectorError(f"{flag}={path}: not a SavedModel folder; python -m gsr_tf.export makes one") from error
    signature = detector.signatures.get("serving_default")
    if signature is None or "probability" not in signature.structured_outputs or not callable(detector):
        raise DetectorError(f"{flag}={path}: a SavedModel, but not a detector; python -m gsr_tf.export makes one")
    return detector


def read_metadata(path: str | Path) -> dict:
    """What the export wrote down; empty for a SavedModel without it. DetectorError when it is damaged."""
    file = Path(path) / METADATA
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DetectorError(f"{file}: damaged ({error}); export the model again") from error


def fingerprint(path: str | Path) -> str:
    """Of the graph and the weights: sixteen hexadecimal digits."""
    digest = hashlib.sha256()
    for file in [Path(path) / "saved_model.pb", *sorted((Path(path) / "variables").glob("*"))]:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]
