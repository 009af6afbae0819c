"""Weights that come with the package: half precision, by name, checked before they are believed.

`gsr_tf/weights/index.json` holds for each name its file, that file's SHA-256, the segmenter's settings, how pictures
are resized, where probabilities are centred, and whatever else a reader should know; the first name is the default.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gsr_tf.inference.metadata import WAY
from gsr_tf.models.networks import Networks
from gsr_tf.models.weights import WeightsError, assign, named_variables

if TYPE_CHECKING:
    from gsr_tf.inference.module import DetectorModule

FOLDER = Path(__file__).resolve().parents[1] / "weights"
INDEX = "index.json"
SEEN = ("size", "resize_mode", "centre")  # how the detector uses its network


def read_index(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """{name: what is known of it}, the default first; empty where nothing is shipped. WeightsError when damaged."""
    path = folder / INDEX
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise WeightsError(f"{path}: damaged ({error})") from error


def default_name(folder: Path = FOLDER) -> str | None:
    """The name of the default weights; None where nothing is shipped."""
    return next(iter(read_index(folder)), None)


def load(name: str, folder: Path = FOLDER) -> tuple[DetectorModule, dict[str, Any]]:
    """The detector of this name, and its entry in the index.

    Raises:
        WeightsError: no such name, or a file that is missing, damaged or not the one that was shipped.
    """
    from gsr_tf.inference.module import DetectorModule
    from gsr_tf.models.segmenter import build_segmenter

    index = read_index(folder)
    if name not in index:
        raise WeightsError(f"--weights={name}: no such weights in {folder}; there are: {', '.join(index) or 'none'}")
    entry = index[name]
    values = _read(folder / entry["file"], entry["sha256"])
    segmenter = build_segmenter(Networks(**entry["segmenter"]), kernel_initializer="zeros")
    assign(named_variables(segmenter), values, str(folder / entry["file"]))
    return DetectorModule(segmenter, **{name: entry[name] for name in SEEN}), entry


def weights_file(given: str, flag: str, folder: Path = FOLDER) -> Path:
    """The .npz that a flag means: a file, or that of the weights of this name.

    Raises:
        WeightsError: neither, or a file that is damaged or not the one that was shipped.
    """
    index = read_index(folder)
    if given in index:
        path = folder / index[given]["file"]
        _checked(path, index[given]["sha256"])
        return path
    if not Path(given).is_file():
        raise WeightsError(
            f"{flag}={given}: no such file, and no weights of that name come with gsr_tf; those are: "
            f"{', '.join(index) or 'none'}"
        )
    return Path(given)


def fingerprint(entry: Mapping[str, Any]) -> str:
    """16 hexadecimal digits, others for other weights and for the same ones used in another way."""
    used = json.dumps([entry["sha256"], *(entry[name] for name in SEEN), entry.get("scales"), WAY])
    return hashlib.sha256(used.encode()).hexdigest()[:16]


def _read(path: Path, sha256: str) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(_checked(path, sha256))) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _checked(path: Path, sha256: str) -> bytes:
    """A file's bytes, if they are those that were shipped."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); install gsr_tf again") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise WeightsError(f"{path}: SHA-256 {found}, expected {sha256}: damaged or changed; install gsr_tf again")
    return data
