"""Downloaded archives -> folders."""

from __future__ import annotations

import json
import lzma
import os
import shutil
import tarfile
import uuid
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PureWindowsPath
from typing import NoReturn

from data_prep.reading.entries import PreparationError
from gsr_tf.data.writing import write_atomically
from gsr_tf.errors import first_line

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tbz2", ".tar.xz", ".txz")
OTHERS = (".7z", ".rar")  # no library here opens these
DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
    *(EOFError, RuntimeError, ValueError, OverflowError),
)
EXTENDED_HEADERS = (  # whose content is read into memory where they stand, as a member's name is of more than 100 bytes
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
EXTENDED_HEADER_BYTES = 1_000_000


class SparseError(ValueError):
    """A member that is stored without its holes."""


class _Member(tarfile.TarInfo):
    """A member none of whose headers fills the memory: compressed, gigabytes of them fit into a small archive."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> _Member:
        member = super().frombuf(buf, encoding, errors)
        if member.type in EXTENDED_HEADERS and member.size > EXTENDED_HEADER_BYTES:
            raise ValueError(f"a header of {member.size:,} bytes, where at most {EXTENDED_HEADER_BYTES:,} are expected")
        return member

    def _refuse_sparse(self, *_: object) -> NoReturn:
        raise SparseError("holds a file with holes (GNU tar's --sparse)")

    # All that read a map of holes, which may have any length.
    _proc_sparse = _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_sparse


def archive_stem(file: Path) -> str | None:
    """The archive's name without its suffix; None for what is no archive that can be unpacked here."""
    suffix = next((suffix for suffix in SUFFIXES if file.name.lower().endswith(suffix)), None)
    return file.name[: -len(suffix)] if suffix else None


def _check(archive: Path, members: Iterable[tuple[str, int]], room: int) -> None:
    """Raises PreparationError for members, (name, bytes), that cannot all be unpacked inside a folder.

    Args:
        archive: for the message.
        members: what is about to be unpacked.
        room: bytes that there are.
    """
    members = list(members)
    for name, _ in members:
        if os.path.isabs(name) or PureWindowsPath(name).anchor or ".." in PureWindowsPath(name).parts:
            raise PreparationError(f"{archive}: its member {name!r} would land outside; it is not unpacked")
    names = Counter(os.path.normpath(name) for name, _ in members if not name.endswith("/"))
    twice = next((name for name, count in names.items() if count > 1), None)
    if twice is not None:
        raise PreparationError(f"{archive}: holds {twice!r} twice; unpack it by hand")
    size = sum(size for _, size in members)
    if size > room:
        raise PreparationError(f"{archive}: unpacked it has {size:,} bytes, and {room:,} are free")


def _unpack(archive: Path, folder: Path, room: int) -> None:
    """Unpacks what was checked, by one opening of the file, into a folder that is not there yet."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            _check(archive, ((member.filename, member.file_size) for member in opened.infolist()), room)
            opened.extractall(folder)
        return
    with tarfile.open(archive, tarinfo=_Member) as opened:
        members = opened.getmembers()
        links = [member.name for member in members if not (member.isfile() or member.isdir())]
        if links:
            raise PreparationError(f"{archive}: {links[0]} is a link or device; unpack this archive by hand")
        _check(archive, ((member.name + "/" * member.isdir(), member.size) for member in members), room)
        opened.extractall(folder, members, filter="data")


def _noted(note: Path) -> dict:
    """What an earlier unpacking left in its note; nothing where it left none."""
    try:
        said = json.loads(note.read_bytes())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def unpack_archive(archive: Path, folder: Path) -> Path:
    """Unpacks an archive into `folder`/its stem, unless that is there already; returns that folder.

    A note beside the folder tells which archive is in it: by size and time, since hashing tens of gigabytes at every
    start would take minutes. A folder without a note was unpacked by hand, or by an earlier version, and is taken for
    the archive's. Nothing that was unpacked is ever removed.

    Raises:
        PreparationError: damaged, larger than the disk has room for, with members that would land outside the folder,
            clash, or have names that the disk does not take; or what is unpacked is of another archive, or of this one
            before it changed.
    """
    target = folder / archive_stem(archive)
    note, aside = folder / f".{target.name}.json", folder / f".{target.name}.{uuid.uuid4().hex}.tmp"
    try:
        stat = archive.stat()
        now = {"archive": archive.name, "bytes": stat.st_size, "time": stat.st_mtime_ns}
        if not target.is_dir():
            aside.mkdir()
            _unpack(archive, aside, shutil.disk_usage(folder).free)
            aside.replace(target)
        elif noted := _noted(note):
            _check_same(archive, target, noted, now)
            return target
        write_atomically(note, json.dumps(now).encode())
    except PreparationError:
        raise
    except SparseError as error:
        raise PreparationError(f"{archive}: {error}; unpack this archive by hand") from error
    except DAMAGE as error:
        raise PreparationError(
            f"{archive}: cannot be unpacked ({first_line(error).rstrip(':')}); download it again"
        ) from error
    except OSError as error:
        raise PreparationError(f"{archive}: cannot be unpacked ({error.strerror or error})") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target


def _check_same(archive: Path, target: Path, noted: dict, now: dict) -> None:
    if noted.get("archive") != archive.name:
        raise PreparationError(f"{archive}: would be unpacked where {noted.get('archive')} is, {target}; rename it")
    if noted != now:
        raise PreparationError(f"{archive}: has changed since it was unpacked into {target}; delete that folder")
