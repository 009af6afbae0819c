"""The files that a list names, on disks that write accents in another way than the list does."""

from __future__ import annotations

import functools
import os
import time
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

FOLDERS_KEPT = 64
SETTLED_NS = 2 * 10**9  # the coarsest clock of a file system, FAT's


def find(path: Path) -> Path:
    """The file meant by a path: itself, or where there is none the one of the same name in another Unicode form.

    A Mac writes an accent as a letter of its own, others write both as one; disks and archives keep what they get.
    """
    if str(path).isascii() or os.path.lexists(path):
        return path
    folder = find(path.parent)
    name = unicodedata.normalize("NFC", path.name)
    if name.isascii():
        return folder / name if os.path.lexists(folder / name) else path
    try:
        twins = _names(folder).get(name, ())
    except (OSError, ValueError):  # no such folder, or none that can be: "\0"
        return path
    return folder / twins[0] if len(twins) == 1 else path


def _names(folder: Path) -> Mapping[str, list[str]]:
    """{name in NFC: names} of what is in a folder and not ASCII: many are asked for, and the folder is read once."""
    written = os.stat(folder).st_mtime_ns
    settled = time.time_ns() - written > SETTLED_NS  # else another name may come and leave the time as it is
    read = _read_names if settled else _read_names.__wrapped__
    return read(os.path.abspath(folder), written)


@functools.lru_cache(FOLDERS_KEPT)
def _read_names(folder: str, written: int) -> Mapping[str, list[str]]:
    """As `_names`; of when the folder was written, for the cache."""
    names = defaultdict(list)
    for name in os.listdir(folder):
        if not name.isascii():
            names[unicodedata.normalize("NFC", name)].append(name)
    return names
