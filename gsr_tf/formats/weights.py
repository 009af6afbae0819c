"""A segmenter's weights in half precision, by name: what `gsr_tf.inference.shipped` reads."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gsr_tf.data import temporary
from gsr_tf.data.writing import write_atomically
from gsr_tf.formats.agreement import require_agreement
from gsr_tf.formats.making import making
from gsr_tf.inference import shipped
from gsr_tf.inference.module import DetectorModule
from gsr_tf.models.weights import named_variables

TOLERANCE = 0.02  # in probability: weights of 11 bits; the scores that ship are measured with them


def save(detector: DetectorModule, output: Path, facts: Mapping, pictures: Sequence[np.ndarray] = ()) -> float:
    """Writes `output` and its entry in the index beside it when half precision agrees.

    Args:
        detector: whose segmenter's weights are saved.
        output: an .npz; its stem is the name that they are asked for by.
        facts: as those of `add`.
        pictures: [h, w, 3] uint8, to compare on beside the trial pictures.

    Returns:
        The largest difference between the probabilities of the weights and of the rounded ones.

    Raises:
        ExportError: `output` exists, or the difference is larger than `TOLERANCE`; nothing is listed then.
        WeightsError: the index beside `output` is damaged.
        FolderInUse: another process is adding to that index.
    """
    with making(output, held=output.parent / shipped.INDEX):  # which lists other weights as well
        with temporary.folder("the rounded weights, on trial") as trial:
            add(detector, output.stem, facts, Path(trial))
            rounded, _ = shipped.load(output.stem, Path(trial))
        worst = require_agreement(detector, rounded, pictures, TOLERANCE)
        add(detector, output.stem, facts, output.parent)
        return worst


def add(detector: DetectorModule, name: str, facts: Mapping[str, Any], folder: Path) -> None:
    """Adds weights under a name, or replaces them; the others stay, and a new name comes last.

    Args:
        detector: whose segmenter's weights are written, rounded to half precision.
        name: how they will be asked for.
        facts: for the index: "segmenter" (the arguments of `build_segmenter`) and whatever else is to be known.
        folder: of the weights.
    """
    buffer = io.BytesIO()
    variables = named_variables(detector.segmenter)
    np.savez_compressed(buffer, **{key: v.numpy().astype(np.float16) for key, v in variables.items()})
    path = folder / f"{name}.npz"
    write_atomically(path, buffer.getvalue())
    used = {
        "file": path.name,
        "sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        **{name: getattr(detector, name) for name in shipped.SEEN},
    }
    index = {**shipped.read_index(folder), name: {**used, **facts}}
    write_atomically(folder / shipped.INDEX, (json.dumps(index, indent=2) + "\n").encode())
