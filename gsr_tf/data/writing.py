"""Files written such that nobody ever sees half of one."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


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
