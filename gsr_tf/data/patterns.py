"""Paths that TensorFlow takes for patterns where it looks for what it has written: checkpoints and SavedModels."""

from __future__ import annotations

import os
import re

WHY = (
    "to TensorFlow a path with *, ?, [ or \\ is a pattern, by which it misses its own files and finds those of others; "
    "rename the folder, or give another"
)


def is_pattern(path: str | os.PathLike) -> bool:
    """Whether a path has a character that stands for others; TensorFlow knows no way to write it that does not."""
    return re.search(r"[*?\[\\]", os.fspath(path)) is not None
