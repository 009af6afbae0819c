"""A folder that one command at a time writes to, and what commands that were killed have left in it."""

from __future__ import annotations

import fcntl
import os
import re
import socket
from pathlib import Path
from typing import IO

from gsr_tf.errors import UserError

LOCK = ".lock"
# As `gsr_tf.data.writing.write_atomically` names what it writes aside.
ASIDE = re.compile(r"\..+\.(\d+)\.[0-9a-f]{8}\.tmp")


class FolderInUse(UserError):
    """A folder that another command is writing to; the message names its process."""


def hold(folder: Path, flag: str) -> IO[str]:
    """Takes a folder for this process alone, and sweeps what killed processes have left in it.

    The lock is the operating system's: it ends with the process, however that ends. Its file stays.

    Args:
        folder: made if missing.
        flag: what named it, for errors.

    Returns:
        An open file; closing it gives the folder free.

    Raises:
        FolderInUse: another process holds it.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / LOCK).open("a+")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:  # POSIX allows either
        with file:
            file.seek(0)
            holder = file.read() or "another"
        raise FolderInUse(
            f"{flag}={folder}: {holder} is writing there; wait for its end, or give another folder"
        ) from error
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}")
    file.flush()
    _sweep(folder)
    return file


def _sweep(folder: Path) -> None:
    """Removes what was written aside by processes that are no more."""
    for parent, _, names in os.walk(folder):
        for name in names:
            found = ASIDE.fullmatch(name)
            if found and not _lives(int(found[1])):
                Path(parent, name).unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it lives, and is somebody else's
        pass
    return True
