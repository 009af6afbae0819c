"""Records, read back as they are stored."""

from __future__ import annotations

import functools

from gsr_tf.data.records import Records, open_records


@functools.lru_cache(maxsize=8)
def open_once(path: str) -> Records:
    """`open_records`, once a process: workers are handed a path rather than an index of many megabytes.

    Args:
        path: absolute.
    """
    return open_records(path)
