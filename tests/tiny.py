"""Tiny records of real pictures: tiles of a photograph that scikit-image ships."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import skimage.data
import tensorflow as tf

from gsr_tf.data.example import encode_example
from gsr_tf.data.pictures import encode_png
from gsr_tf.data.records import COLUMNS, FRAME_AFTER, FRAME_BEFORE, Records, open_records, write_index

SIZES = ((48, 64), (64, 48), (56, 56))  # height, width


class Example(NamedTuple):
    """One picture, [h, w, 3] uint8; its masks, [h, w] bool; its own authentic picture or None."""

    picture: np.ndarray
    masks: tuple[np.ndarray, ...] = ()
    original: np.ndarray | None = None


def tile(number: int) -> np.ndarray:
    """A piece of the astronaut, another one for each number; sizes alternate."""
    height, width = SIZES[number % len(SIZES)]
    top, left = 70 * (number // 6), 70 * (number % 6)
    return skimage.data.astronaut()[top : top + height, left : left + width]


def square(number: int, shape: tuple[int, int]) -> np.ndarray:
    """A mask, off the centre: 20 x 20 pixels."""
    mask = np.zeros(shape, bool)
    top, left = 3 + 2 * number, 18 - 2 * number
    mask[top : top + 20, left : left + 20] = True
    return mask


def manipulated() -> list[Example]:
    """Six pictures with a mask and their originals; the last has two masks."""
    examples = []
    for number in range(6):
        original = tile(number)
        mask = square(number, original.shape[:2])
        masks = (mask,) if number < 5 else (mask, mask[::-1])
        examples.append(Example(np.where(mask[..., None], 255 - original, original), masks, original))
    return examples


def authentic() -> list[Example]:
    """Six more pictures."""
    return [Example(tile(number)) for number in range(6, 12)]


def serialized(name: str, example: Example) -> bytes:
    """The record of one example."""
    masks = [encode_png(np.where(mask, 255, 0).astype(np.uint8)) for mask in example.masks]
    original = b"" if example.original is None else encode_png(example.original)
    return encode_example(encode_png(example.picture), name, masks, original)


def write_records(folder: Path, examples: Iterable[Example]) -> Records:
    """The records of examples, in one shard, opened."""
    folder.mkdir(parents=True)
    columns = {name: [] for name in COLUMNS}
    shard, position = folder / "00000-of-00001.tfrecord", FRAME_BEFORE
    with tf.io.TFRecordWriter(str(shard)) as writer:
        for number, example in enumerate(examples):
            name = f"tile {number}"
            record = serialized(name, example)
            writer.write(record)
            has_original = int(example.original is not None)
            row = (0, position, len(record), name, *example.picture.shape[:2], len(example.masks), has_original)
            for column, value in zip(COLUMNS, row):
                columns[column].append(value)
            position += len(record) + FRAME_AFTER + FRAME_BEFORE
    size = shard.stat().st_size
    write_index(folder, shards=[{"file": shard.name, "records": len(columns["name"]), "bytes": size}], columns=columns)
    return open_records(folder)
