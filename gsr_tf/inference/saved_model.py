"""Reading an exported detector: a SavedModel, what it says of itself, which one it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from gsr_tf.data.unfindable import why_unfindable
from gsr_tf.inference.metadata import DetectorError

GRAPH, SIGNATURE = "saved_model.pb", "serving_default"
NO_DETECTOR = "a SavedModel, but not a detector"
MAPS = ("probability", "boundary")  # that are read of an answer; the second where there is one


def load(path: str | Path) -> tf.Module:
    """An exported detector, called as `DetectorModule` is; DetectorError when there is none at `path`.

    What says that it is none is read before it is loaded: loading a model may run what is in it.
    """
    check(path)
    try:
        detector = tf.saved_model.load(str(path))
    except (OSError, tf.errors.OpError, ValueError, KeyError, IndexError) as error:
        why = why_unfindable(path) or f"damaged ({error}); export the model again"
        raise DetectorError(f"--saved_model={path}: {why}") from error
    if not callable(detector):
        raise DetectorError(
            f"--saved_model={path}: {NO_DETECTOR}: it cannot be called; python -m gsr_tf.export makes one"
        )
    return detector


def check(path: str | Path) -> None:
    """Raises DetectorError for what is no exported detector, by its graph's signatures; nothing is loaded."""
    refusal = _refusal(Path(path))
    if refusal:
        raise DetectorError(f"--saved_model={path}: {refusal}; python -m gsr_tf.export makes one")


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
    (picture,) = (tf.TensorShape(tensor.tensor_shape) for tensor in found.inputs.values())
    # Of two threads that give TensorFlow a picture of a size that it refuses one waits for ever.
    if picture.rank is not None and picture.as_list() not in ([None, None, 3], [None, None, None]):
        return f"{NO_DETECTOR}: {SIGNATURE} takes {_sides(picture)}, expected one picture, [h, w, 3] of any size"
    if "probability" not in found.outputs:
        return f"{NO_DETECTOR}: {SIGNATURE} gives {_named(found.outputs)}, expected probability"
    outputs = {name: found.outputs[name] for name in MAPS if name in found.outputs}
    forms = {name: (tf.TensorShape(one.tensor_shape), tf.as_dtype(one.dtype)) for name, one in outputs.items()}
    wrong = [refusal for name, form in forms.items() if (refusal := form_refusal(name, *form))]
    return f"{NO_DETECTOR}: in {SIGNATURE} {wrong[0]}" if wrong else ""


def form_refusal(name: str, shape: tf.TensorShape, dtype: tf.DType, rank: int = 3) -> str:
    """Why an output is no map, [h, w, 1] float, or so many of them of rank 4; "" where it is one, or may be."""
    if dtype.is_floating and shape.rank in (None, rank) and (shape.rank is None or shape[-1] in (None, 1)):
        return ""
    return f"{name} is {_sides(shape)} of {dtype.name}; expected [h, w, 1] of float32, in 0..1"


def _sides(shape: tf.TensorShape) -> str:
    if shape.rank is None:
        return "of any shape"
    return f"[{', '.join('?' if side is None else str(side) for side in shape)}]"


def _named(tensors: Mapping[str, TensorInfo]) -> str:
    return ", ".join(sorted(tensors)) or "nothing"


def fingerprint(path: str | Path) -> str:
    """Of the graph and the weights: sixteen hexadecimal digits."""
    digest = hashlib.sha256()
    for file in [Path(path) / GRAPH, *sorted((Path(path) / "variables").glob("*"))]:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]
