"""Records, read back as they are stored."""

from __future__ import annotations

import functools
import os

from data_prep.entries import PreparationError
from gsr_tf.data.records import Records, RecordsError, open_records


def open_input(path: str | os.PathLike, flag: str) -> Records:
    """`open_records` for a command's input; a PreparationError where there are none, or damaged ones."""
    try:
        return open_records(path, flag)
    except RecordsError as error:
        raise PreparationError(str(error)) from error


@functools.lru_cache(maxsize=8)
def open_once(path: str) -> Records:
    """`open_records`, once a process: workers are handed a path rather than an index of many megabytes.

    Args:
        path: absolute.
    """
    return open_records(path)
