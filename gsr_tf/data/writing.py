"""Files written such that nobody ever sees half of one."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from gsr_tf.errors import UserError


class PlaceError(UserError):
    """A file or folder that could not be written under its name."""


def check_place(path: str | os.PathLike, flag: str) -> None:
    """Raises PlaceError, which names the flag, where nothing could be written under a path: before work is done for it.

    A disk that gets full is noticed later.
    """
    folder = next(folder for folder in Path(path).absolute().parents if os.path.exists(folder))
    if not folder.is_dir():
        raise PlaceError(f"{flag}={path}: {folder} is a file; expected a folder, or one that can be made")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PlaceError(f"{flag}={path}: this user cannot write in {folder}; give another place")


def write_atomically(path: str | os.PathLike, data: bytes) -> None:
    """Writes `data` aside and renames it: a reader never sees half a file.

    An OSError names `path`, or the folder above it that cannot be made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The rest of the name is drawn: containers number their processes alike, and may write the same picture.
    aside = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        aside.write_bytes(data)
        aside.replace(path)
    except OSError as error:  # a full disk names no file
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        aside.unlink(missing_ok=True)
