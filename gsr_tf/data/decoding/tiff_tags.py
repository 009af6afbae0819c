"""The tags of a TIFF, and of EXIF, which is one without pixels: where they are and how long, none of them read."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator
from typing import NamedTuple

# Bytes of a value by its type's number; the types whose values become numbers, one by one, when a library reads them.
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
NUMBERS = SIZES.keys() - {1, 2, 7}
INNER = (34665, 34853, 40965)  # tags that lead to directories of more tags: EXIF, GPS, interoperability
MOST_FRAMES = 10_000  # nobody wants to know more exactly


class _Form(NamedTuple):
    """How the numbers of a directory are written: in a TIFF, and in a BigTIFF."""

    count: struct.Struct
    entry: struct.Struct
    offset: struct.Struct
    first: int  # where the first directory's place is written


class Named(NamedTuple):
    """What directories name.

    Attributes:
        tags: how many.
        size: bytes of all their values; those that several tags name count as often.
        numbers: how many values that are neither text nor bytes.
    """

    tags: int
    size: int
    numbers: int


def _form(data: bytes) -> _Form | None:
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None or len(data) < 8:
        return None
    version = int.from_bytes(data[2:4], "little" if order == "<" else "big")
    if version == 43:
        return _Form(*(struct.Struct(order + code) for code in ("Q", "HHQQ", "Q")), 8)
    return _Form(*(struct.Struct(order + code) for code in ("H", "HHLL", "L")), 4)


def _read(form: struct.Struct, data: bytes, start: int) -> tuple[int, ...]:
    """The numbers at a place; zeros where the file has ended."""
    written = data[start : start + form.size]
    return form.unpack(written if len(written) == form.size else bytes(form.size))


def _entries(data: bytes, form: _Form, start: int) -> Iterator[tuple[int, int, int, int]]:
    """Tag, type, number of values and place, or value, of each entry of the directory at `start`."""
    (count,) = _read(form.count, data, start)
    first = start + form.count.size
    for entry in range(first, min(first + count * form.entry.size, len(data) - form.entry.size + 1), form.entry.size):
        yield form.entry.unpack_from(data, entry)


def named(data: bytes, most: int) -> Named:
    """What the first directory names, with those inside it; counting stops above `most` tags."""
    form, tags, size, numbers = _form(data), 0, 0, 0
    if form is None:
        return Named(0, 0, 0)
    waiting = list(_read(form.offset, data, form.first))
    while waiting and tags <= most:
        inner = []
        for tag, kind, count, place in itertools.islice(_entries(data, form, waiting.pop()), most + 1):
            length = count * SIZES.get(kind, 0)
            tags += 1
            if length > form.offset.size and place + length > len(data):  # where libraries stop reading
                break
            size += length
            numbers += count if kind in NUMBERS else 0
            if tag in INNER:
                inner.append(place)
        waiting += inner[: len(INNER)]
    return Named(tags, size, numbers)


def frames(data: bytes) -> int:
    """How many directories a TIFF has, each a picture; counted up to `MOST_FRAMES`."""
    form, seen = _form(data), set()
    if form is None:
        return 1
    (start,) = _read(form.offset, data, form.first)
    while 0 < start < len(data) and start not in seen and len(seen) < MOST_FRAMES:
        seen.add(start)
        (count,) = _read(form.count, data, start)
        (start,) = _read(form.offset, data, start + form.count.size + count * form.entry.size)
    return len(seen)
