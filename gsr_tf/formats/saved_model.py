"""A detector as a SavedModel, proved on pictures before anyone relies on it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from gsr_tf.data import temporary
from gsr_tf.formats.agreement import ExportError, require_agreement
from gsr_tf.formats.making import making
from gsr_tf.formats.signatures import signatures
from gsr_tf.inference.metadata import METADATA
from gsr_tf.inference.module import DetectorModule

# The same operations on the same machine, compiled again: less than a thousandth of a level of a heat map.
TOLERANCE = 1e-5


def save(detector: DetectorModule, output: Path, facts: Mapping, pictures: Sequence[np.ndarray] = ()) -> float:
    """Writes, reloads and compares; the folder appears under its name only when they agree.

    Args:
        detector: what is saved, with `signatures`.
        output: folder to make; must not exist.
        facts: written as JSON inside.
        pictures: [h, w, 3] uint8, to compare on beside the trial pictures.

    Returns:
        The largest difference between the network's and the SavedModel's probabilities.

    Raises:
        ExportError: `output` exists, cannot be written, or the reloaded model differs by more than 1e-5.
        FolderInUse: another process is writing it.
    """
    with making(output):
        aside = output.with_name(f".{output.name}.tmp")
        shutil.rmtree(aside, ignore_errors=True)
        try:
            _write(detector, aside, facts)
            worst = require_agreement(detector, tf.saved_model.load(str(aside)), pictures, TOLERANCE)
            aside.rename(output)
        except (OSError, tf.errors.OpError) as error:
            raise ExportError(f"--output={output}: could not be written ({error})") from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return worst


def _write(detector: DetectorModule, folder: Path, facts: Mapping) -> None:
    for part in (tf.saved_model.ASSETS_DIRECTORY, tf.saved_model.VARIABLES_DIRECTORY):
        (folder / part).mkdir(parents=True)  # as the umask says; TensorFlow would not ask it
    what = "what the model says of itself"
    with temporary.folder(what) as aside:
        file = Path(aside) / Path(METADATA).name
        with temporary.explained(what):
            file.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        # As an asset it stays with the model when TensorFlow loads and saves it again.
        detector.metadata = tf.saved_model.Asset(str(file))
        tf.saved_model.save(detector, str(folder), signatures=signatures(detector))
        del detector.metadata
