"""Pictures, masks and folders of them for the tests of data_prep."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gsr_tf.data.example import Example
from gsr_tf.data.records import open_records

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def real_data(*parts: str) -> Path:
    """A folder of real pictures beside the repository; the test is skipped where there is none."""
    folder = SHARED.joinpath(*parts)
    if not folder.exists():
        pytest.skip(f"no {'/'.join(parts)} in ../shared/data beside the repository")
    return folder


def photo(path: Path, size: tuple[int, int] = (32, 24), seed: int = 0, **save) -> Path:
    """Writes a smooth random picture, size (width, height), in the format of its suffix."""
    noise = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)).save(path, **save)
    return path


def mask(path: Path, size: tuple[int, int] = (32, 24), value: int = 255, background: int = 0) -> Path:
    """Writes a mask: a bright rectangle in its upper left quarter, size (width, height)."""
    width, height = size
    pixels = np.full((height, width), background, np.uint8)
    pixels[: height // 2, : width // 2] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def read_all(folder: Path) -> list[dict]:
    """Every record of a folder as TensorFlow decodes it: name, bytes, image, masks, and original or None."""
    records = open_records(folder)
    return [_decoded(records.example(number)) for number in range(len(records))]


def _decoded(example: Example) -> dict:
    return {
        "name": example.name,
        "bytes": example.image,
        "image": tf.io.decode_image(example.image, channels=3).numpy(),
        "masks": [tf.io.decode_png(png).numpy() for png in example.masks],
        "original": tf.io.decode_image(example.original, channels=3).numpy() if example.original else None,
    }


def masks_by_name(folder: Path) -> dict[str, list[np.ndarray]]:
    """Of each record, in order, the masks, [h, w] of 0 and 1; a name that is there twice fails the test."""
    records = read_all(folder)
    found = {record["name"]: [mask[..., 0] / 255 for mask in record["masks"]] for record in records}
    assert len(found) == len(records)
    return found


def mask_counts(folder: Path) -> dict[str, int]:
    """How many masks each record has."""
    return {name: len(masks) for name, masks in masks_by_name(folder).items()}


def index_of(folder: Path) -> dict:
    return json.loads((folder / "index.json").read_bytes())


def skipped_of(folder: Path) -> dict[str, str]:
    """Name -> reason of what was skipped."""
    return {line["name"]: line["reason"] for line in json.loads((folder / "skipped.json").read_bytes())}


def all_bytes(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
