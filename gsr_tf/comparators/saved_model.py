"""An exported detector as a `Method`: what is evaluated is the artefact that ships."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from gsr_tf.comparators.method import Method
from gsr_tf.inference import saved_model


def load_maps(path: str | os.PathLike, flag: str = "--saved_model") -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """The maps of an exported detector: picture [h, w, 3] uint8 RGB -> {"probability": [h, w] float32, ...}.

    Args:
        path: the folder that `python -m gsr_tf.export` wrote.
        flag: the flag that gave it, for the messages.

    Raises:
        ExportError: there is no such folder, or it holds something else.
    """
    detector = saved_model.load(path, flag)
    return lambda picture: {name: found.numpy()[..., 0] for name, found in detector(tf.constant(picture)).items()}


def load(path: str | os.PathLike, flag: str = "--saved_model") -> Method:
    """The method of an exported detector, named by its folder; raises ExportError as `load_maps`."""
    maps = load_maps(path, flag)
    return Method(
        name=Path(path).name,
        score=lambda picture: maps(picture)["probability"],
        probabilities=True,
        fingerprint=saved_model.fingerprint(path),
    )
