"""What asks a process to end, Ctrl-C and SIGTERM, told to a function of its own for a while."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def told(note: Callable[[int, Any], None]) -> Iterator[dict[int, Any]]:
    """Within it SIGINT and SIGTERM are told to `note`; yields what they were told to before, by their numbers."""
    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield before
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
