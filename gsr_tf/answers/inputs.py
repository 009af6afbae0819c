"""Which pictures are meant: a file, a folder, a pattern, a list of names, or the bytes on standard input."""

from __future__ import annotations

import glob
import os
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import NamedTuple, Optional

from gsr_tf.data.pictures import PICTURE_SUFFIXES, read_bytes
from gsr_tf.errors import UserError

STANDARD_INPUT = "-"


class InputError(UserError):
    """No pictures where some were expected; the message names the flag."""


class Source(NamedTuple):
    """A picture to answer.

    Attributes:
        file: what results call it: its path below the folder, with suffix.
        name: of its answers, `file` without the suffix where no other picture has the same; always its own.
        path: where it is; None: standard input.
    """

    file: str
    name: str
    path: Optional[Path]

    def read(self) -> bytes:
        """Its bytes; PictureError when they cannot be read."""
        return sys.stdin.buffer.read() if self.path is None else read_bytes(self.path)


def find(given: str, output: Path) -> list[Source]:
    """The pictures of `--input`; those in a folder by their suffix, at any depth, sorted.

    Args:
        given: a file, a folder, a pattern (`**`: at any depth) or "-".
        output: where answers go; pictures in it are earlier answers and left out.

    Raises:
        InputError: there are none.
    """
    path = Path(given)
    if given == STANDARD_INPUT:
        return [Source("standard input", "stdin", None)]
    if path.is_file():
        return _named([(path, path.name)])
    if path.is_dir():
        return _in_folder(path, output)
    if glob.has_magic(given):
        return _matching(given, output)
    raise InputError(f"--input={given}: no such file or folder")


def from_list(given: str) -> list[Source]:
    """The pictures that a file names, one a line; "-": that standard input names.

    A name that is no file is kept: it is for the answers to say so. Answers keep the folders as they are written.

    Raises:
        InputError: the list cannot be read, or is empty.
    """
    try:
        data = sys.stdin.buffer.read() if given == STANDARD_INPUT else Path(given).read_bytes()
    except OSError as error:
        raise InputError(f"--list={given}: cannot be read ({error.strerror})") from error
    paths = [Path(line) for line in os.fsdecode(data).splitlines() if line.strip()]
    if not paths:
        raise InputError(f"--list={given}: no names there; expected one path a line")
    return _named((path, _below(path)) for path in dict.fromkeys(paths))


def _below(path: PurePath) -> str:
    """The path as one below the output folder: "/scans/a.png" -> "scans/a.png", "../a.png" -> "up/a.png"."""
    parts = path.parts[1:] if path.anchor else path.parts
    return str(PurePath(*("up" if part == os.pardir else part for part in parts)))


def _in_folder(folder: Path, output: Path) -> list[Source]:
    if output.resolve() == folder.resolve():
        raise InputError(f"--output={output} is --input: answers would lie among the pictures; choose another folder")
    files = [path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()]
    files = _without(files, output)
    if not files:
        raise InputError(f"--input={folder}: no pictures there ({', '.join(PICTURE_SUFFIXES)})")
    return _named((path, str(path.relative_to(folder))) for path in files)


def _matching(pattern: str, output: Path) -> list[Source]:
    files = _without((Path(path) for path in glob.iglob(pattern, recursive=True) if os.path.isfile(path)), output)
    if not files:
        raise InputError(f"--input={pattern}: matches no file")
    plain = []  # the folders before the first with a wildcard
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        plain.append(part)
    return _named((path, str(path.relative_to(Path(*plain)))) for path in dict.fromkeys(files))


def _without(files: Iterable[Path], output: Path) -> list[Path]:
    answers = output.resolve()
    return sorted(path for path in files if answers not in path.resolve().parents)


def _named(files: Iterable[tuple[Path, str]]) -> list[Source]:
    files = list(files)
    stems = [str(PurePath(file).with_suffix("")) for _, file in files]
    count = Counter(stem.casefold() for stem in stems)  # some disks do not tell a.png from A.png
    sources, taken = [], set()
    for (path, file), stem in zip(files, stems):
        name = stem if count[stem.casefold()] == 1 else file
        while name.casefold() in taken:  # ../a.png and up/a.png of one list
            name += "_"
        taken.add(name.casefold())
        sources.append(Source(file, name, path))
    return sources
