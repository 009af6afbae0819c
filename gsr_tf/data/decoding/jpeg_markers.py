"""The markers of a JPEG, which say what its parts are: found, none of the parts decoded."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

START, END = b"\xff\xd8", b"\xff\xd9"
PROGRESSIVE, LOSSLESS = 0xC2, 0xC3
SCAN = 0xDA
NO_FRAMES = (0xC4, 0xC8, 0xCC)  # of the markers from C0 to CF: tables, and one that is reserved
ALONE = (0x00, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE))  # markers without a length
AFTER_PIXELS = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # among pixels 0xFF stands before 0 or as a restart alone
EXIF, MORE_PICTURES = b"Exif\0\0", b"MPF\0"  # what begins the segments that hold tags


def markers(data: bytes) -> Iterator[tuple[int, int]]:
    """The markers of a JPEG and where each begins, up to the one that ends it; 0xFF for each byte between segments.

    Found as Pillow and libjpeg find them, who pass over what is no segment.
    """
    start, coded = len(START), False
    while data.startswith(START) and start + 4 <= len(data):
        marker = data[start + 1] if data[start] == 0xFF else 0xFF
        yield marker, start
        if marker == 0xFF:
            start += 1
        elif marker in ALONE:
            if coded and marker == END[1]:
                return
            start += 2
        else:
            start += 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        if marker == SCAN:
            coded, found = True, AFTER_PIXELS.search(data, start)
            start = found.start() if found else len(data)


def content(data: bytes, start: int) -> bytes:
    """What the segment holds whose marker begins at `start`."""
    return data[start + 4 : start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")]


def frame_kind(data: bytes) -> int:
    """The marker that says how a JPEG is coded, 0xC0 to 0xCF; 0 where there is none before its first scan."""
    before = itertools.takewhile(lambda marker: marker != SCAN, (marker for marker, _ in markers(data)))
    kinds = (marker for marker in before if 0xC0 <= marker <= 0xCF and marker not in NO_FRAMES)
    return next(kinds, 0)


def lacks_end(data: bytes) -> bool:
    """Whether these are the bytes of a JPEG with pixels and without the marker that ends them.

    Whatever cameras write behind it, a film say, does not matter. Among coded pixels its two bytes never stand.
    """
    scan = next((start for marker, start in markers(data) if marker == SCAN), None)
    return scan is not None and data.find(END, scan) < 0


def with_end(data: bytes) -> bytes:
    """The same with the marker, so that it decodes as far as it goes; half a marker at its end is taken off."""
    return data.removesuffix(b"\xff") + END
