"""An exported detector as a `Method`: what is evaluated is the artefact that ships."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np

from gsr_tf.comparators.method import Method
from gsr_tf.inference.detector import Detector
from gsr_tf.inference.resolution import check, describe


def load_maps(path: str | os.PathLike) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """The maps of an exported detector: picture [h, w, 3] uint8 RGB -> {"probability": [h, w] float32, ...}.

    Args:
        path: the folder that `python -m gsr_tf.export` wrote.

    Raises:
        DetectorError: there is no such folder, or it holds something else.
    """
    return Detector.load(path).maps


def load(
    path: str | os.PathLike | None,
    *,
    resolution: str = "whole",
    scales: Sequence[float] | None = None,
) -> Method:
    """The method of an exported detector, named as it is and by how it looks at pictures (`Detector.segment`).

    Raises:
        DetectorError: as `load_maps`.
        ResolutionError: no such resolution, or scales that cannot be.
    """
    detector = Detector.load(path)
    scales = detector.scales_at(resolution, scales)
    check(resolution, scales)
    how = describe(resolution, scales)
    return Method(
        name=detector.name + how,
        score=lambda picture: detector.maps(picture, resolution=resolution, scales=scales)["probability"],
        probabilities=True,
        fingerprint=detector.fingerprint + how,
    )
