"""The files that a list names, on disks that write accents in another way than the list does."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


def find(path: Path) -> Path:
    """The file meant by a path: itself, or where there is none the one of the same name in another Unicode form.

    A Mac writes an accent as a letter of its own, others write both as one; disks and archives keep what they get.
    """
    if str(path).isascii() or os.path.lexists(path):
        return path
    folder = find(path.parent)
    name = unicodedata.normalize("NFC", path.name)
    try:
        twins = [entry for entry in os.listdir(folder) if unicodedata.normalize("NFC", entry) == name]
    except OSError:  # no such folder
        twins = []
    return folder / twins[0] if len(twins) == 1 else path
