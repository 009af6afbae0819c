"""A process of its own: how it is started, how it has ended, and that it ends with the one that started it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

EXIT_SECONDS = 2  # until the system has put away a process that closed its pipe


def start(work: Callable[..., None], *arguments: object) -> tuple[multiprocessing.Process, Connection]:
    """A process that works, and this end of a pipe, the other end of which is the first argument of `work`.

    Args:
        work: calls `end_with_parent` first; can be pickled, as the arguments.
        arguments: what follows the pipe.
    """
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()  # else the pipe would not end with the process
    return process, ours


def how_it_ended(process: multiprocessing.Process) -> str:
    """The signal or the exit code of a process that has closed its pipe."""
    until = time.monotonic() + EXIT_SECONDS
    process.join(EXIT_SECONDS)
    while process.exitcode is None and time.monotonic() < until:
        time.sleep(0.01)  # another thread has been told by the system, which tells one alone, and has not said it yet
    code = process.exitcode
    return signal.Signals(-code).name if code and code < 0 else f"exit code {code}"


def end_with_parent() -> None:
    """This process ends when the one that started it does, however that ended, and whatever is at work."""

    def follow() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
