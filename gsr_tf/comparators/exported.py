"""An exported detector as a `Method`: what is evaluated is the artefact that ships."""

from __future__ import annotations

import os
from collections.abc import Sequence

from gsr_tf.comparators.method import Method
from gsr_tf.inference.detector import Detector
from gsr_tf.inference.resolution import describe


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
    detector = Detector.load(path)
    scales = detector.scales_at(resolution, scales)
    how = describe(resolution, scales)
    return Method(
        name=detector.name + how,
        score=lambda picture: detector.maps(picture, resolution=resolution, scales=scales)["probability"],
        probabilities=True,
        fingerprint=detector.fingerprint + how,
        centre=float(detector.metadata.get("centre", 0.5)),
    )
