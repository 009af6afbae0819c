"""Rows of a large array a few at a time, so that what is made of them is never there as a whole."""

from __future__ import annotations

from collections.abc import Iterator

STRIP = 1 << 19  # pixels


def strips(height: int, width: int, pixels: int = 0) -> Iterator[slice]:
    """The rows of so many, at least one a strip, from above; strips of `STRIP` pixels where nothing else is asked."""
    step = max(1, (pixels or STRIP) // max(1, width))
    return (slice(start, min(start + step, height)) for start in range(0, height, step))
