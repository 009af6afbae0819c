"""A detector as one file, ONNX or TensorFlow Lite, proved before it gets its name; what it is stands beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gsr_tf.data.writing import write_atomically
from gsr_tf.evaluation.items import Item
from gsr_tf.formats import onnx, tflite
from gsr_tf.formats.agreement import ExportError, largest_difference, require_agreement, trial_pictures
from gsr_tf.formats.making import making
from gsr_tf.formats.pictures import paper_scores
from gsr_tf.inference.module import DetectorModule


def save(
    detector: DetectorModule, output: Path, format_: str, facts: Mapping[str, Any], pictures: Sequence[np.ndarray]
) -> float:
    """Writes `output` in format "onnx" or "tflite" when it agrees; returns the largest difference.

    Raises:
        ExportError: it differs by more than the format's tolerance, or needs an extra, or `output` exists.
        FolderInUse: another process is writing it.
    """
    form = {"onnx": onnx, "tflite": tflite}[format_]
    with making(output):
        model = form.convert(detector)
        worst = require_agreement(detector, form.runner(model), pictures, form.TOLERANCE)
        write_with_facts(output, model, facts)
    return worst


def save_quantized(
    detector: DetectorModule,
    output: Path,
    quantize: str,
    facts: Mapping[str, Any],
    pictures: Sequence[np.ndarray],
    scored: Sequence[Item],
) -> float:
    """Writes a quantised TFLite model with what it costs; returns the largest difference.

    Its tolerance is a score, not a difference: how much is too much is for its user to say.

    Args:
        detector: what is written.
        output: the file.
        quantize: "float16" or "int8".
        facts: what the file beside it says.
        pictures: [h, w, 3] uint8; int8's representative set.
        scored: manipulated pictures with their masks.

    Raises:
        ExportError: int8, and there are no pictures; or `output` exists.
        FolderInUse: another process is writing it.
    """
    if quantize == "int8" and not pictures:
        raise ExportError("--quantize=int8 needs real pictures as its representative set: give --pictures=FOLDER")
    with making(output):
        model = tflite.convert(detector, quantize, pictures)
        maps = tflite.runner(model)
        cost = {"network": paper_scores(detector, scored, "network"), quantize: paper_scores(maps, scored, quantize)}
        for name, scores in cost.items():
            print(f"{name}: F1 {scores['f1']:.4f}, MCC {scores['mcc']:.4f} (paper, {scores['pictures']} pairs)")
        worst = largest_difference(detector, maps, [*trial_pictures(), *pictures])
        write_with_facts(output, model, {**facts, "quantization": quantize, "quantization_scores": cost})
    return worst


def write_with_facts(output: Path, model: bytes | memoryview, facts: Mapping[str, Any]) -> None:
    """Writes a file, and beside it FILE.json of facts; both or none."""
    beside = output.with_name(f"{output.name}.json")
    try:
        write_atomically(beside, (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode())
        write_atomically(output, model)
    finally:
        if not output.exists():
            beside.unlink(missing_ok=True)
