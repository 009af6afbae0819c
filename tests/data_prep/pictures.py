"""Pictures, masks and folders of them for the tests of data_prep."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gsr_tf.data.records import Records, open_records, parse_example

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


def read_all(folder: Path) -> tuple[Records, list[dict]]:
    """Opens records and decodes all of them: name, image, masks, original as NumPy arrays."""
    records = open_records(folder)
    decoded = []
    for number in range(len(records)):
        features = parse_example(records.read(number))
        original = features.original
        decoded.append(
            {
                "name": features.name,
                "bytes": features.image,
                "image": tf.io.decode_image(features.image, channels=3).numpy(),
                "masks": [tf.io.decode_png(png).numpy() for png in features.masks],
                "original": tf.io.decode_image(original, channels=3).numpy() if original else None,
            }
        )
    return records, decoded


def index_of(folder: Path) -> dict:
    return json.loads((folder / "index.json").read_bytes())


def skipped_of(folder: Path) -> dict[str, str]:
    """Name -> reason of what was skipped."""
    return {line["name"]: line["reason"] for line in json.loads((folder / "skipped.json").read_bytes())}


def all_bytes(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
