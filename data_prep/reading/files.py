"""The files of a folder, as a data set's publisher or a user left them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from data_prep.reading.archives import OTHERS, SUFFIXES
from data_prep.reading.entries import PreparationError, Skipped
from gsr_tf.data import folders
from gsr_tf.data.one_writer import LOCK_BESIDE
from gsr_tf.data.pictures import PICTURE_SUFFIXES
from gsr_tf.data.unfindable import is_utf8

HIDDEN, NOT_A_PICTURE = NO_PICTURE = ("hidden", "not a picture")  # why files are skipped that come and go unnoticed


def require_folder(path: str | os.PathLike, flag: str) -> Path:
    """The folder at `path`; a PreparationError that names `flag` when it is missing, a file or an archive."""
    folder = Path(path)
    if folder.is_dir():
        return folder
    if not folder.exists():
        raise PreparationError(f"{flag}={path}: no such folder")
    if folder.name.lower().endswith(SUFFIXES + OTHERS):
        raise PreparationError(f"{flag}={path}: an archive; unpack it and give {flag} the folder that comes out")
    raise PreparationError(f"{flag}={path}: a file where a folder was expected")


def file_sha256(path: str | os.PathLike) -> str:
    """The SHA-256 of a file, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_files(folder: Path) -> list[PurePosixPath]:
    """Every file below `folder`, relative to it, sorted; symbolic links are followed, each folder once.

    Broken links are listed too: they fail by name when they are read. A folder that cannot be read is a
    PreparationError: what it holds would be dropped unseen. Locks are not listed: that of --output may lie here.
    """
    try:
        files = [file for file in folders.walk(folder) if not LOCK_BESIDE.fullmatch(file.name)]
        return sorted(PurePosixPath(file.relative_to(folder).as_posix()) for file in files)
    except OSError as error:
        raise PreparationError(f"{error.filename}: this folder cannot be read ({error.strerror})") from error


def not_utf_8(name: str) -> Skipped | None:
    """Why a picture's name cannot be in records and lists, which hold UTF-8; None when it can be."""
    if is_utf8(name):
        return None
    return Skipped(name.encode(errors="backslashreplace").decode(), "name is not UTF-8", "rename the file")


def _fault_of_name(file: PurePosixPath) -> Skipped | None:
    """Why a file's name says that it is no picture that can be used; None when it may be one."""
    fault = not_utf_8(str(file))
    if fault:  # unpacked from an archive of another alphabet
        return fault._replace(name=os.fsencode(str(file)).decode("utf-8", "backslashreplace"))
    if folders.is_hidden(file):
        return Skipped(str(file), HIDDEN, "a name or folder that begins with a point, or a Mac's own")
    if file.suffix.lower() not in PICTURE_SUFFIXES:
        return Skipped(str(file), NOT_A_PICTURE, f"suffix {file.suffix or 'missing'}")
    return None


def split_pictures(files: Iterable[PurePosixPath]) -> tuple[list[PurePosixPath], list[Skipped]]:
    """Picture files, by their names, and the others as skipped."""
    faults = {file: _fault_of_name(file) for file in files}
    return [file for file, fault in faults.items() if not fault], [fault for fault in faults.values() if fault]
