"""Standard output that nobody reads to its end: `gsr-tf predict --help | head`. And streams that are closed."""

from __future__ import annotations

import errno
import os
import select
import sys

DESCRIPTOR = 1
CLOSED = 141  # 128 + SIGPIPE: how other tools end then


def open_closed() -> None:
    """Opens those of the three standard streams that this process was started without, and leads them into nothing.

    Python has None in their places, and the next file that is opened would get their numbers.
    """
    for number in range(3):
        if not _is_open(number):
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it gets the lowest number that is free
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8", errors="replace"))  # noqa: SIM115


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def is_closed() -> bool:
    """Whether nobody reads what is printed any more; it is then led into nothing, so that Python ends in silence."""
    closed = not _flushed() or _has_no_reader()
    if closed:
        os.dup2(os.open(os.devnull, os.O_WRONLY), DESCRIPTOR)
    return closed


def _flushed() -> bool:
    """Whether what was printed could be written; False for a pipe whose other end is closed."""
    try:
        sys.stdout.flush()
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.EINVAL):  # the latter on Windows
            raise
        return False
    return True


def _has_no_reader() -> bool:
    if not hasattr(select, "poll"):  # Windows, where only writing tells, that which has just failed too
        return isinstance(sys.exc_info()[1], BrokenPipeError)
    asked = select.poll()
    asked.register(DESCRIPTOR, 0)
    return any(event & select.POLLERR for _, event in asked.poll(0))
