"""The version of the methods without weights, which are their source: what another version gave is made anew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

ROOM = Path(__file__).resolve().parent
# Folders of methods that are trained. What is scored of these is an export, which has a fingerprint of its own.
TRAINED = ("dih", "exif", "mfcn", "rgbn")


def classical() -> list[Path]:
    """The files that a method without weights may depend on, in order: all of the room but the folders in TRAINED."""
    return sorted(path for path in ROOM.rglob("*.py") if path.relative_to(ROOM).parts[0] not in TRAINED)


def of_files(paths: Iterable[Path]) -> str:
    """Of files' names and bytes, in this order: sixteen hexadecimal digits."""
    digest = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]
