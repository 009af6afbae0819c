"""Standard output that nobody reads to its end: `gsr-tf predict --help | head`. Streams that are closed, or ASCII."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import sys

DESCRIPTOR = 1
CLOSED = 141  # 128 + SIGPIPE: how other tools end then


def set_up() -> None:
    """Makes the standard streams such that printing a line, whatever names are in it, ends no command."""
    open_closed()
    with contextlib.suppress(AttributeError):  # what takes its place in tests and notebooks
        if sys.stdout.errors == "strict":
            # As standard error has it: \xe9 for what it cannot express.
            sys.stdout.reconfigure(errors="backslashreplace")


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


def exit_code() -> int:
    """Of a command that has printed all that it was asked for: 0, or `CLOSED`; raises OSError as `is_closed`."""
    return CLOSED if is_closed() else 0


def is_closed() -> bool:
    """Whether nobody reads what is printed any more; it is then led into nothing, so that Python ends in silence.

    Raises:
        OSError: it cannot be written, as on a full disk.
    """
    closed = not _flushed() or _has_no_reader()
    if closed:
        _lead_into_nothing()
    return closed


def _flushed() -> bool:
    """Whether what was printed could be written; False for a pipe whose other end is closed."""
    try:
        sys.stdout.flush()
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.EINVAL):  # the latter on Windows
            _lead_into_nothing()
            raise
        return False
    return True


def _lead_into_nothing() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), DESCRIPTOR)


def _has_no_reader() -> bool:
    if not hasattr(select, "poll"):  # Windows, where only writing tells, that which has just failed too
        return isinstance(sys.exc_info()[1], BrokenPipeError)
    asked = select.poll()
    asked.register(DESCRIPTOR, 0)
    return any(event & select.POLLERR for _, event in asked.poll(0))
