"""A detector of random weights, to measure what does not depend on its answers."""

from __future__ import annotations

from pathlib import Path

from gsr_tf.formats import saved_model
from gsr_tf.inference.module import DetectorModule
from gsr_tf.models.networks import Networks
from gsr_tf.models.segmenter import build_segmenter


def save_random_model(folder: Path, width: float, size: int = 300) -> None:
    """Writes a SavedModel of a network of that width, which sees pictures at that size."""
    saved_model.save(DetectorModule(build_segmenter(Networks(width=width)), size=size), folder, {})
