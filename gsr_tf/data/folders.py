"""Every file below a folder, as people and publishers leave them: links followed, circles left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePath


def walk(folder: Path) -> Iterator[Path]:
    """The files below `folder`, in no order, links to nothing too; each folder once, however many links lead to it.

    Of a folder that is there twice the one that is no link is walked.

    Raises:
        OSError: a folder cannot be read; what it holds would be left out unseen.
    """
    seen = set()
    for parent, subfolders, names in os.walk(folder, onerror=_raise, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders.sort(key=lambda name: (os.path.islink(os.path.join(parent, name)), name))
        yield from (Path(parent, name) for name in names)


def is_hidden(file: PurePath) -> bool:
    """Whether a file, as named from the folder that was given, is not meant: by a leading point, or a Mac's own."""
    return any(part.startswith(".") or part == "__MACOSX" for part in file.parts)


def _raise(error: OSError) -> None:
    raise error
