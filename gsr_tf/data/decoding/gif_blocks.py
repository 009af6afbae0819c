"""The blocks of a GIF: counted, none of them decoded."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

HEADER = 13
EXTENSION, FRAME, END = 0x21, 0x2C, 0x3B
MOST = 1_000_000  # parts that are looked at: 250 MB of frames


def _table(flags: int) -> int:
    """Bytes of a table of colours."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def parts(data: bytes) -> Iterator[int]:
    """`FRAME` or `EXTENSION` where such a block begins, 0 for each piece of it, and for bytes between blocks."""
    start = HEADER + (_table(data[10]) if len(data) > 10 else 0)
    while start < len(data) and (kind := data[start]) != END:
        yield kind if kind in (FRAME, EXTENSION) else 0
        if kind == FRAME and start + 10 < len(data):
            start += 11 + _table(data[start + 9])
        elif kind == EXTENSION:
            start += 2
        else:
            start += 1
            continue
        while start < len(data) and data[start]:
            yield 0
            start += 1 + data[start]
        start += 1


def frames(data: bytes) -> int:
    """How many frames there are among the first `MOST` parts."""
    return sum(part == FRAME for part in itertools.islice(parts(data), MOST))


def before_first_frame(data: bytes, most: int) -> int:
    """How many parts stand before the first frame; counted up to `most` + 1."""
    return sum(1 for _ in itertools.takewhile(lambda part: part != FRAME, itertools.islice(parts(data), most + 1)))
