"""An exported detector as a `Method`: what is evaluated is the artefact that ships."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from gsr_tf.comparators.method import Method
from gsr_tf.inference.metadata import read_metadata
from gsr_tf.inference.resolution import ONE_SIZE, describe


def load(
    path: str | os.PathLike | None,
    *,
    resolution: str = "whole",
    scales: Sequence[float] | None = None,
) -> Method:
    """The method of an exported detector, named as it is and by how it looks at pictures (`Detector.segment`).

    Raises:
        DetectorError: there is no such model, or it is something else.
        ResolutionError: no such resolution, or scales that cannot be.
    """
    from gsr_tf.inference.detector import Detector

    detector = Detector.load(path)
    scales = detector.scales_at(resolution, scales)

    def score(picture: np.ndarray) -> np.ndarray:
        return detector.maps(picture, resolution=resolution, scales=scales)["probability"]

    how = describe(resolution, scales, detector.precision)
    return _method(detector.name, detector.fingerprint, detector.metadata, how, score)


def at_need(path: Path) -> Method:
    """As `load` of a SavedModel's folder, but loaded for the first picture: often all has been scored before.

    Raises:
        DetectorError: it is something else. The method raises it where the model cannot be loaded.
    """
    from gsr_tf.inference import saved_model
    from gsr_tf.inference.detector import Detector

    saved_model.check(path)
    name, metadata, fingerprint = path.resolve().name, read_metadata(path), saved_model.fingerprint(path)
    one_at_a_time = threading.Lock()

    @functools.cache
    def detector() -> Detector:
        return Detector(saved_model.load(path), name=name, metadata=metadata, fingerprint=fingerprint)

    def score(picture: np.ndarray) -> np.ndarray:
        with one_at_a_time:
            loaded = detector()
        return loaded.maps(picture)["probability"]

    how = describe("whole", metadata.get("scales", ONE_SIZE))
    return _method(name, fingerprint, metadata, how, score)


def _method(
    name: str, fingerprint: str, metadata: Mapping, how: str, score: Callable[[np.ndarray], np.ndarray]
) -> Method:
    return Method(
        name=name + how,
        score=score,
        probabilities=True,
        fingerprint=fingerprint + how,
        centre=float(metadata.get("centre", 0.5)),
    )
