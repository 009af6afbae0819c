"""Signals to end while a run trains: what is begun is finished, and a second one is not held back."""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections.abc import Iterator
from typing import Any

from tqdm import tqdm

from gsr_tf.signals import SIGHUP, told

# A SIGTERM so soon after another signal is of who sent that: a cluster that tells all processes, of which one passes it
# on, or a system that ends a session.
TOLD_TWICE_SECONDS = 1.0


class _Signal(BaseException):
    """It came. No Exception: AutoGraph, and whoever else goes on after any of those, would go on after it."""


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within `signals_received`: what is within this ends, without an error, when the first one is received."""

    def note(number: int, frame: Any) -> None:
        noting[number](number, frame)
        raise _Signal

    with told(note) as noting, contextlib.suppress(_Signal):
        yield


@contextlib.contextmanager
def signals_received() -> Iterator[list[int]]:
    """A list that holds the number of the first signal received; a second one is not held back, unless it is SIGHUP."""
    received: list[int] = []
    when = -math.inf

    def note(number: int, _frame: Any) -> None:
        nonlocal when
        soon = time.monotonic() - when < TOLD_TWICE_SECONDS
        if received and (number == SIGHUP or (soon and number == signal.SIGTERM and received[0] != signal.SIGINT)):
            return
        if received:
            signal.signal(number, before[number])
            signal.raise_signal(number)
        received.append(number)
        when = time.monotonic()
        tqdm.write("finishing this step, then saving (once more to stop at once) ...")

    with told(note) as before:
        yield received
