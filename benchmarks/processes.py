"""The memory of a process and of all that it has started (Linux)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

PAGE = os.sysconf("SC_PAGE_SIZE")


def family(process: int) -> Iterator[int]:
    """Its id and those of its children, which all its threads may have started, and of theirs."""
    yield process
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            for child in path.read_text().split():
                yield from family(int(child))


def resident(process: int) -> int:
    """Bytes that they hold together; what they share is counted in each."""
    pages = 0
    for one in family(process):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            pages += int(Path(f"/proc/{one}/statm").read_text().split()[1])
    return pages * PAGE


def by_thirds(samples: Sequence[float]) -> dict:
    """Samples over time: the median of each third, and the most."""
    thirds = np.array_split(samples, 3)
    return {"medians_of_thirds": [round(np.median(third)) for third in thirds], "peak": max(samples)}
