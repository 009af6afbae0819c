"""A process of its own: how it is started and has ended, and what it knows of itself.

That is its memory, bounds of that, and whether the one that started it is still there.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

try:
    import resource
except ImportError:  # not on Windows
    resource = None

STATM = Path("/proc/self/statm")  # Linux: sizes in pages
PAGE = os.sysconf("SC_PAGE_SIZE") if STATM.exists() else 0
ADDRESS_SPACE = resource.getrlimit(resource.RLIMIT_AS) if resource else ()
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


def resident() -> int:
    """Bytes of memory that this process holds; 0 where the system does not say."""
    return _pages(1)


@contextlib.contextmanager
def bounded_growth(size: int) -> Iterator[None]:
    """Within it this process gets at most so many bytes more, then MemoryError; no bound where there is no Linux."""
    if not PAGE:
        yield
        return
    soft, hard = ADDRESS_SPACE
    bound = _pages(0) + size
    resource.setrlimit(resource.RLIMIT_AS, (bound if soft == resource.RLIM_INFINITY else min(bound, soft), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, ADDRESS_SPACE)


def end_with_parent() -> None:
    """This process ends when the one that started it does, however that ended, and whatever is at work."""

    def follow() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _pages(field: int) -> int:
    return int(STATM.read_text().split()[field]) * PAGE if PAGE else 0
