"""A folder that one command at a time writes to, and what commands that were killed have left in it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from gsr_tf.errors import UserError

LOCK = ".lock"
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)  # what some file systems of a network say
HOLDER_CHARACTERS = 200  # that are read of a lock: anybody may have written it
LOCK_BESIDE = re.compile(r"\..+\.lock")  # as `hold_from_beside` names it
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
        UserError: it is a link to what is not there, or its lock is no plain file.
        OSError: the folder cannot be written.
    """
    if folder.is_symlink() and not folder.exists():
        raise UserError(f"{flag}={folder}: a link to {os.readlink(folder)}, which is not there; make that folder")
    folder.mkdir(parents=True, exist_ok=True)
    file = _take(folder / LOCK, folder, flag)
    _sweep(folder)
    return file


@contextlib.contextmanager
def hold_from_beside(folder: Path, flag: str) -> Iterator[None]:
    """Within, a folder that people publish is this process's alone: the lock lies beside it, and goes at the end.

    The folder need not be there, and nothing in it is touched. The lock of a killed process holds nothing, either.

    Args:
        folder: as `hold`'s.
        flag: as `hold`'s.

    Raises:
        FolderInUse: another process holds it.
        UserError: the lock cannot be written, or is no plain file.
    """
    path = _lock_beside(folder)
    made = [parent for parent in path.parents if not parent.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _take(path, folder, flag)
        while not _is_at(path, file):  # its last holder removed it after we opened it
            file.close()
            file = _take(path, folder, flag)
    except OSError as error:
        raise UserError(f"{flag}={folder}: cannot be written: its lock {path} ({error.strerror})") from error
    with file:
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # one that stays holds nothing, and a folder that holds something stays
                path.unlink()
                for parent in made:
                    parent.rmdir()


def _lock_beside(folder: Path) -> Path:
    folder = Path(os.path.realpath(folder))
    # Beside a mounted folder another container sees no lock; beside some folders nothing can be written.
    within = folder.is_dir() and (os.path.ismount(folder) or not os.access(folder.parent, os.W_OK))
    return (folder if within else folder.parent) / f".{folder.name}{LOCK}"


def _is_at(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _take(path: Path, folder: Path, flag: str) -> IO[str]:
    """Locks the file at `path`, made if missing, for `folder`; arguments, result and errors else as those of `hold`."""
    file = _open(path, folder, flag)
    ours = os.fstat(file.fileno()).st_nlink == 1  # else it has another name, under which it may be no lock
    with contextlib.suppress(OSError):  # as for the file of somebody else
        if ours:
            os.fchmod(file.fileno(), 0o666)  # who comes next may be another user, and a lock is taken by who may write
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:  # POSIX allows either
        with file:
            holder = file.read(HOLDER_CHARACTERS) or "another"
        raise FolderInUse(
            f"{flag}={folder}: {holder} is writing there; wait for its end, or give another folder"
        ) from error
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
        print(f"{path.parent}: has no locks ({error.strerror}); start no second command there", file=sys.stderr)
    if ours:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
    return file


def _open(path: Path, folder: Path, flag: str) -> IO[str]:
    """The file at `path`, made if missing; a UserError for what is none, which anybody may have put into the folder."""
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError:  # of a link, a folder, a socket
        if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
            raise _no_lock(path, folder, flag) from None
        raise
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise _no_lock(path, folder, flag)
    return open(number, "r+", encoding="utf-8", errors="replace")


def _no_lock(path: Path, folder: Path, flag: str) -> UserError:
    return UserError(f"{flag}={folder}: its lock {path} is a link or another thing that is no plain file; delete it")


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
