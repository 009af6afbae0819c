"""The memory of a process and of all that it has started (Linux)."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
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


def _proportional(process: int) -> int:
    """Bytes that they hold together; what they share is counted once."""
    total = 0
    for one in family(process):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def peak_memory(work: Callable[[], None]) -> int:
    """The most bytes that this process and its workers hold together during work, looked at ten times a second."""
    peak, done = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.1):
            peak = max(peak, _proportional(os.getpid()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return peak


def by_thirds(samples: Sequence[float]) -> dict:
    """Samples over time: the median of each third, and the most."""
    thirds = np.array_split(samples, 3)
    return {"medians_of_thirds": [round(np.median(third)) for third in thirds], "peak": max(samples)}
