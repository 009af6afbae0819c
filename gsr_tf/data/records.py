"""Records: encoded pictures and their masks in TFRecord shards, with an index.

One tf.Example a picture. The picture's bytes are kept as published; every usable mask K of it is one PNG in a
list, so a photograph with seven annotated objects is stored once and gives seven (S, K). `index.json` says where
each record starts, which makes reading in any order, and resuming anywhere, cheap.

    index.json      schema version, counts, shards with checksums, one column a property of the records
    00000-of-00008.tfrecord ...
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import google_crc32c
import numpy as np
from google.protobuf.message import DecodeError

from gsr_tf.data.example import Example, parse_example
from gsr_tf.data.pictures import PictureError
from gsr_tf.data.unfindable import NO_UTF8, is_utf8
from gsr_tf.data.writing import write_atomically
from gsr_tf.errors import UserError

SCHEMA_VERSION = 1
INDEX_NAME = "index.json"
COLUMNS = ("shard", "offset", "length", "name", "height", "width", "masks", "original")
# A TFRecord frames its payload with a length (8 bytes) and two checksums (4 bytes each).
FRAME_BEFORE, FRAME_AFTER = 12, 4


class RecordsError(UserError):
    """A records folder that cannot be used; the message says what to do."""


@dataclasses.dataclass(frozen=True)
class Records:
    """A records folder, opened for reading in any order.

    Attributes:
        path: the folder.
        flag: that gave it, for messages.
        fingerprint: of the index, thus of every shard's content: what a run writes down as its data.
        shards: file names.
        columns: one list a property of `COLUMNS`, an entry a record: "offset" and "length" are bytes of the payload in
            its shard, "masks" is their number, "original" 0 or 1.
    """

    path: Path
    flag: str
    fingerprint: str
    shards: tuple[str, ...]
    columns: dict[str, list]

    def __len__(self) -> int:
        return len(self.columns["name"])

    @functools.cached_property
    def pairs(self) -> np.ndarray:
        """[pairs, 2] int64: every (record, number of the mask in it), in order."""
        masks = np.asarray(self.columns["masks"], np.int64)
        record = np.repeat(np.arange(len(masks)), masks)
        first = np.repeat(np.cumsum(masks) - masks, masks)
        return np.stack([record, np.arange(len(record)) - first], axis=1)

    def read(self, record: int) -> bytes:
        """The serialized tf.Example of a record, by number; safe from many threads.

        Raises:
            PictureError: its bytes are not those that were written, by their checksum; it names the picture.
            RecordsError: its shard cannot be read any more.
        """
        columns = self.columns
        shard, length = self.shards[columns["shard"][record]], columns["length"][record]
        try:
            with open(self.path / shard, "rb", buffering=0) as file:  # not kept open: there may be very many
                framed = os.pread(file.fileno(), length + FRAME_AFTER, columns["offset"][record])
        except OSError as error:
            raise RecordsError(f"{self.flag}={self.path}: shard {shard} cannot be read any more ({error})") from error
        payload, checksum = framed[:length], framed[length:]
        if _masked_crc32c(payload) != checksum:
            raise PictureError(
                f"{columns['name'][record]}: damaged since its preparation, by its checksum; copy or prepare the set "
                "again"
            )
        return payload

    def example(self, record: int) -> Example:
        """A record, by number; safe from many threads.

        Raises:
            PictureError: as `read`, and where its bytes are no example; it names the picture.
            RecordsError: as `read`.
        """
        payload = self.read(record)
        try:
            return parse_example(payload)
        except (DecodeError, ValueError) as error:  # bytes that are no message, or none of ours
            raise PictureError(f"{self.columns['name'][record]}: the record is damaged ({error})") from error


def _masked_crc32c(payload: bytes) -> bytes:
    """The checksum that a TFRecord has behind its payload: a CRC-32C, rotated by 15 bits, plus a constant."""
    crc = google_crc32c.value(payload)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def write_index(
    path: str | os.PathLike, *, shards: Sequence[dict], columns: dict[str, list], extra: dict | None = None
) -> dict[str, int]:
    """Writes index.json, atomically and last: a folder without one is not finished. Returns its counts.

    Args:
        path: the records folder.
        shards: one dict a shard: "file", "records", "bytes", "sha256".
        columns: as `Records.columns`.
        extra: whatever the preparation wants to keep (its settings, what was skipped and why).
    """
    counts = {
        "records": len(columns["name"]),
        "masks": int(sum(columns["masks"])),
        "authentic": sum(not masks for masks in columns["masks"]),
        "originals": int(sum(columns["original"])),
    }
    index = {"schema": SCHEMA_VERSION, "counts": counts, "shards": list(shards), **(extra or {}), "columns": columns}
    text = json.dumps(index, separators=(",", ":"), ensure_ascii=False)
    write_atomically(Path(path) / INDEX_NAME, text.encode())
    return counts


def open_records(path: str | os.PathLike, flag: str = "--records") -> Records:
    """Opens a records folder and checks it against its index.

    Args:
        path: the folder that a `data_prep` command wrote.
        flag: the flag that gave it, for the messages.

    Raises:
        RecordsError: no folder, or one whose path is not UTF-8, no index or a damaged one, another schema, or shards
            that are missing or of another size.
    """
    path = Path(path)
    if not is_utf8(path):
        raise RecordsError(f"{flag}={path}: {NO_UTF8}")
    text = _read_index(path, flag)
    try:
        index = json.loads(text)
        schema = index["schema"]
        sizes, columns = _sizes_and_columns(index) if schema == SCHEMA_VERSION else ({}, {})
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise RecordsError(f"{flag}={path}: {INDEX_NAME} is damaged ({error}); prepare the set again") from error
    if schema != SCHEMA_VERSION:
        raise RecordsError(
            f"{flag}={path}: records of schema {schema}, this version reads {SCHEMA_VERSION}; prepare the set again"
        )
    _check_shards(path, flag, sizes)
    fingerprint = hashlib.sha256(text).hexdigest()[:16]
    return Records(path, flag, fingerprint, tuple(sizes), columns)


def _sizes_and_columns(index: dict) -> tuple[dict[str, int], dict[str, list]]:
    """The bytes of each shard by its file's name, and `Records.columns`; a ValueError where they cannot be right."""
    sizes = {shard["file"]: shard["bytes"] for shard in index["shards"]}
    if not (_are(str, sizes) and _are(int, sizes.values())):
        raise ValueError("a shard's file is no name, or its bytes no number")
    columns = {name: index["columns"][name] for name in COLUMNS}
    for name, column in columns.items():
        kind = str if name == "name" else int
        if not (isinstance(column, list) and len(column) == len(columns["name"]) and _are(kind, column)):
            raise ValueError(f"its column {name!r} is not of {len(columns['name'])} entries of type {kind.__name__}")
    if b"\0" in "".join(columns["name"]).encode():
        raise ValueError("a name with the character NUL")
    _check_places(np.array(list(sizes.values()), np.int64), columns)
    return sizes, columns


def _are(kind: type, values: Iterable) -> bool:
    return set(map(type, values)) <= {kind}


def _check_places(sizes: np.ndarray, columns: dict[str, list]) -> None:
    """Raises ValueError where a record's numbers are impossible, given each shard's bytes, [shards] int64."""
    numbers = {name: np.array(column, np.int64) for name, column in columns.items() if name != "name"}
    if any((column < 0).any() for column in numbers.values()) or (numbers["shard"] >= len(sizes)).any():
        raise ValueError("a number below 0, or a shard that is not there")
    size = sizes[numbers["shard"]]
    # Subtracted, since sums may overflow.
    if ((numbers["length"] > size - numbers["offset"]) | (numbers["masks"] > numbers["length"])).any():
        raise ValueError("a record that reaches beyond the end of its shard, or has more masks than bytes")


def _read_index(path: Path, flag: str) -> bytes:
    if not path.is_dir():
        raise RecordsError(f"{flag}={path}: no such folder; make records with `python -m data_prep.<name> --help`")
    try:
        return (path / INDEX_NAME).read_bytes()
    except FileNotFoundError:
        below = sorted(index.parent for index in path.glob(f"*/{INDEX_NAME}"))
        advice = (
            f"the records are in folders below, as {below[0]}"
            if below
            else "these records were never finished; run the data_prep command again"
        )
        raise RecordsError(f"{flag}={path}: no {INDEX_NAME}; {advice}") from None


def _check_shards(path: Path, flag: str, sizes: dict[str, int]) -> None:
    """Raises RecordsError when a shard is missing or has another size, in bytes, than the index says."""
    for shard, expected in sizes.items():
        file = path / shard
        size = file.stat().st_size if file.exists() else -1
        if size != expected:
            found = "is missing" if size < 0 else f"has {size} bytes"
            raise RecordsError(
                f"{flag}={path}: shard {shard} {found}, the index says {expected} bytes; copy or prepare the set again"
            )
