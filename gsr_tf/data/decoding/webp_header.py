"""The size that a WebP's header says: libwebp makes room for it before anybody can ask it for the size."""

from __future__ import annotations


def pixels(data: bytes) -> int:
    """Width times height of a WebP's canvas; 0 for other files."""
    width, height = size(data)
    return width * height


def size(data: bytes) -> tuple[int, int]:
    """Width and height of a WebP's canvas; zeros for other files."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return 0, 0
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + _number(data, 24, 3), 1 + _number(data, 27, 3)
    if kind == b"VP8L":
        sides = _number(data, 21, 4)
        return 1 + (sides & 0x3FFF), 1 + (sides >> 14 & 0x3FFF)
    return _number(data, 26, 2) & 0x3FFF, _number(data, 28, 2) & 0x3FFF


def _number(data: bytes, start: int, length: int) -> int:
    return int.from_bytes(data[start : start + length], "little")
