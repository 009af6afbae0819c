"""Standard output that nobody reads to its end: `gsr-tf predict --help | head`."""

from __future__ import annotations

import contextlib
import os
import select
import sys

DESCRIPTOR = 1
CLOSED = 141  # 128 + SIGPIPE: how other tools end then


def is_closed() -> bool:
    """Whether nobody reads what is printed any more; it is then led into nothing, so that Python ends in silence."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    asked = select.poll()
    asked.register(DESCRIPTOR, 0)
    closed = any(event & select.POLLERR for _, event in asked.poll(0))
    if closed:
        os.dup2(os.open(os.devnull, os.O_WRONLY), DESCRIPTOR)
    return closed
