"""Paths by which TensorFlow does not find again what it has written: checkpoints and SavedModels."""

from __future__ import annotations

import os
import re

PATTERN = (
    "to TensorFlow a path with *, ?, [ or \\ is a pattern, by which it misses its own files and finds those of others; "
    "rename the folder, or give another"
)
NO_UTF8 = "not UTF-8, as lists and TensorFlow's paths must be; rename the folder, or give another"


def why_unfindable(path: str | os.PathLike) -> str:
    """Why TensorFlow would not find its files under a path, which it knows no other way to write; "" if it would."""
    name = os.fspath(path)
    if re.search(r"[*?\[\\]", name):
        return PATTERN
    return "" if is_utf8(name) else NO_UTF8


def is_utf8(path: str | os.PathLike) -> bool:
    """Whether a path can be written as text; systems let names be any bytes, which Python keeps as surrogates."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return False
    return True
