"""An exported detector as a `Method`: what is evaluated is the artefact that ships."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from gsr_tf.comparators.method import Method
from gsr_tf.evaluation.errors import MethodError


def fingerprint(path: Path) -> str:
    """Of the graph and the weights: sixteen hexadecimal digits."""
    digest = hashlib.sha256()
    for file in [path / "saved_model.pb", *sorted((path / "variables").glob("*"))]:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]


def load(path: str | os.PathLike, flag: str = "--saved_model") -> Method:
    """The method of an exported detector, named by its folder.

    Args:
        path: the folder that `python -m gsr_tf.export` wrote: a SavedModel that takes one picture, [h, w, 3] uint8
            RGB, and gives {"probability": [h, w, 1] float32}.
        flag: the flag that gave it, for the messages.

    Raises:
        MethodError: there is no such folder, or it holds something else.
    """
    path = Path(path)
    if not (path / "saved_model.pb").is_file():
        raise MethodError(f"{flag}={path}: no SavedModel there; make one with `python -m gsr_tf.export`")
    detector = tf.saved_model.load(str(path))
    if not callable(detector):
        raise MethodError(f"{flag}={path}: it cannot be called with a picture; export it with gsr_tf.export")

    def score(picture: np.ndarray) -> np.ndarray:
        return detector(tf.constant(picture))["probability"].numpy()[..., 0]

    return Method(name=path.name, score=score, probabilities=True, fingerprint=fingerprint(path))
