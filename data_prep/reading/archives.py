"""Downloaded archives -> folders."""

from __future__ import annotations

import os
import shutil
import tarfile
import uuid
import zipfile
from pathlib import Path

from data_prep.reading.entries import PreparationError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tar.xz", ".txz")
OTHERS = (".7z", ".rar")  # no library here opens these


def archive_stem(file: Path) -> str | None:
    """The archive's name without its suffix; None for what is no archive that can be unpacked here."""
    suffix = next((suffix for suffix in SUFFIXES if file.name.lower().endswith(suffix)), None)
    return file.name[: -len(suffix)] if suffix else None


def _members(archive: Path) -> list[str]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            return opened.namelist()
    with tarfile.open(archive) as opened:
        links = [member.name for member in opened if not (member.isfile() or member.isdir())]
        if links:
            raise PreparationError(f"{archive}: {links[0]} is a link or device; unpack this archive by hand")
        return opened.getnames()


def unpack_archive(archive: Path, folder: Path) -> Path:
    """Unpacks an archive into `folder`/its stem, unless that is already there; returns that folder.

    Raises:
        PreparationError: damaged, or with members that would land outside the folder.
    """
    target = folder / archive_stem(archive)
    if target.is_dir():  # renamed when complete: it is whole
        return target
    aside = folder / f".{target.name}.{uuid.uuid4().hex}.tmp"
    try:
        for member in _members(archive):
            if os.path.isabs(member) or ".." in Path(member).parts:
                raise PreparationError(f"{archive}: its member {member!r} would land outside; it is not unpacked")
        shutil.unpack_archive(archive, aside)
        aside.replace(target)
    except (zipfile.BadZipFile, tarfile.TarError, shutil.ReadError, EOFError, RuntimeError) as error:
        raise PreparationError(f"{archive}: cannot be unpacked ({error}); download it again") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target
