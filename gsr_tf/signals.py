"""What asks a process to end, told to a function of its own for a while."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any

SIGHUP = getattr(signal, "SIGHUP", None)  # not on Windows


@contextlib.contextmanager
def told(note: Callable[[int, Any], None]) -> Iterator[dict[int, Any]]:
    """Within it `note` is told of Ctrl-C, SIGTERM and SIGHUP; yields what they were told to before, by their numbers.

    SIGHUP is of a terminal that was closed, or whose connection is lost: what is written there goes nowhere from then
    on. Where it is ignored, as under nohup, it stays ignored.
    """
    numbers, terminals = [signal.SIGINT, signal.SIGTERM], [stream for stream in (1, 2) if os.isatty(stream)]
    if SIGHUP and signal.getsignal(SIGHUP) != signal.SIG_IGN:
        numbers.append(SIGHUP)

    def noted(number: int, frame: Any) -> None:
        if number == SIGHUP:
            _leave(terminals)
        note(number, frame)

    before = {number: signal.signal(number, noted) for number in numbers}
    try:
        yield before
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(terminals: Sequence[int]) -> None:
    """Each write to one that is gone would be an error."""
    with open(os.devnull, "w") as nowhere:
        for terminal in terminals:
            os.dup2(nowhere.fileno(), terminal)
