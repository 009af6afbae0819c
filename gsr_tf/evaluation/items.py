"""What an evaluation goes through: named pictures with their truth, read one at a time."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np

from gsr_tf.data.pictures import PictureError, decode_picture, read_bytes, read_picture
from gsr_tf.data.records import Records, parse_example

Sample = tuple[np.ndarray, Optional[np.ndarray]]


class Item(NamedTuple):
    """One picture to score.

    Attributes:
        name: unique in its data set.
        read: gives (picture [h, w, 3] uint8 RGB, mask [h, w] bool, True = manipulated; None for an authentic
            picture); raises PictureError.
    """

    name: str
    read: Callable[[], Sample]


def binarise(pixels: np.ndarray) -> np.ndarray:
    """[h, w] bool of a decoded mask, [h, w, 3] uint8: above 127, the middle, as the field does."""
    return pixels[..., 0] > 127


def _read_record(records: Records, record: int, mask: int | None) -> Sample:
    example = parse_example(records.read(record))
    name = records.columns["name"][record]
    picture = decode_picture(example.image, name).pixels
    if mask is None:
        return picture, None
    return picture, binarise(decode_picture(example.masks[mask], f"{name}: mask {mask}").pixels)


def from_records(records: Records) -> Sequence[Item]:
    """One item a (picture, mask), in the records' order, then one an authentic picture.

    The items of a picture with several masks are named `name#0`, `name#1`...
    """
    names, masks = records.columns["name"], records.columns["masks"]

    def item(record: int, mask: int | None) -> Item:
        name = names[record] if masks[record] < 2 else f"{names[record]}#{mask}"
        return Item(name, lambda: _read_record(records, record, mask))

    manipulated = [item(int(record), int(mask)) for record, mask in records.pairs]
    return manipulated + [item(record, None) for record, count in enumerate(masks) if not count]


def from_paths(name: str, picture: str | os.PathLike, mask: str | os.PathLike | None) -> Item:
    """The item of a picture file and its mask file; None: the picture is authentic."""

    def read() -> Sample:
        return read_picture(picture), None if mask is None else binarise(read_picture(mask))

    return Item(name, read)


def from_list(path: str | os.PathLike, flag: str = "--pairs") -> Sequence[Item]:
    """The items of a CSV file: `picture,mask` a line, no mask for an authentic picture.

    Paths are relative to the list's folder; an item is named by its picture's path as written.

    Raises:
        PictureError: the list cannot be read, is empty, or has a line of another form.
    """
    folder = Path(path).parent
    return [
        from_paths(picture, folder / picture, folder / mask if mask else None) for picture, mask in _rows(path, flag)
    ]


def fingerprint(path: str | os.PathLike) -> str:
    """Of a list's text: sixteen hexadecimal digits; raises PictureError when it cannot be read."""
    return hashlib.sha256(read_bytes(path)).hexdigest()[:16]


def _rows(path: str | os.PathLike, flag: str) -> Iterator[tuple[str, str]]:
    lines = [row for row in csv.reader(read_bytes(path).decode("utf-8-sig").splitlines()) if row]
    if not lines:
        raise PictureError(f"{flag}={path}: the list is empty; write one `picture,mask` a line")
    for number, row in enumerate(lines, start=1):
        if len(row) > 2:
            raise PictureError(f"{flag}={path}: line {number} has {len(row)} columns; expected `picture,mask`")
        yield row[0], (row[1] if len(row) == 2 else "").strip()
