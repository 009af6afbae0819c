"""Temporary files, and what is said where none can be written."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator

from gsr_tf.errors import UserError


class TemporaryError(UserError):
    """No temporary file could be written; the message says what for and which variable to set."""


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turns an OSError within into a TemporaryError that says what could not be written."""
    try:
        yield
    except OSError as error:
        raise TemporaryError(
            f"{what}: no temporary file can be written ({error.strerror}); set TMPDIR to a folder that has room"
        ) from error


@contextlib.contextmanager
def folder(what: str) -> Iterator[str]:
    """A temporary folder, removed with all it holds; raises TemporaryError where there can be none."""
    with explained(what):
        made = tempfile.TemporaryDirectory()
    with made as name:
        yield name
