"""Reading an exported detector: a SavedModel, what it says of itself, which one it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from gsr_tf.data import patterns
from gsr_tf.errors import UserError

GRAPH, SIGNATURE = "saved_model.pb", "serving_default"
NO_DETECTOR = "a SavedModel, but not a detector"
METADATA = "assets/gsr_tf.json"


class DetectorError(UserError):
    """No detector where one was expected; the message names the flag that gave it."""


def load(path: str | Path) -> tf.Module:
    """An exported detector, called as `DetectorModule` is; DetectorError when there is none at `path`.

    What says that it is none is read before it is loaded: loading a model may run what is in it.
    """
    refusal = _refusal(Path(path))
    if refusal:
        raise DetectorError(f"--saved_model={path}: {refusal}; python -m gsr_tf.export makes one")
    try:
        detector = tf.saved_model.load(str(path))
    except (OSError, tf.errors.OpError, ValueError, KeyError) as error:
        why = patterns.WHY if patterns.is_pattern(path) else f"damaged ({error}); export the model again"
        raise DetectorError(f"--saved_model={path}: {why}") from error
    if not callable(detector):
        raise DetectorError(
            f"--saved_model={path}: {NO_DETECTOR}: it cannot be called; python -m gsr_tf.export makes one"
        )
    return detector


def _refusal(folder: Path) -> str:
    """Why a folder is no exported detector, by its graph's signatures; "" where it seems to be one."""
    try:
        model = SavedModel.FromString((folder / GRAPH).read_bytes())
    except OSError as error:
        return f"not a SavedModel folder ({GRAPH}: {error.strerror})"
    except DecodeError as error:
        return f"not a SavedModel folder ({GRAPH} is damaged: {error})"
    signatures = {name: one for graph in model.meta_graphs for name, one in graph.signature_def.items()}
    if SIGNATURE not in signatures:
        return f"{NO_DETECTOR}: no signature {SIGNATURE}"
    found = signatures[SIGNATURE]
    if [tensor.dtype for tensor in found.inputs.values()] != [tf.uint8.as_datatype_enum]:
        return f"{NO_DETECTOR}: {SIGNATURE} takes {_named(found.inputs)}, expected one picture, uint8"
    if "probability" not in found.outputs:
        return f"{NO_DETECTOR}: {SIGNATURE} gives {_named(found.outputs)}, expected probability"
    return ""


def _named(tensors: Mapping[str, TensorInfo]) -> str:
    return ", ".join(sorted(tensors)) or "nothing"


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
    for file in [Path(path) / GRAPH, *sorted((Path(path) / "variables").glob("*"))]:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]
