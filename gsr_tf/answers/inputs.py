"""Which pictures are meant: a file, a folder, a pattern, a list of names, records, or the bytes on standard input."""

from __future__ import annotations

import functools
import glob
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path, PurePath
from typing import NamedTuple

from gsr_tf.answers.files import endings
from gsr_tf.answers.results import holds_answers
from gsr_tf.data import folders, lists
from gsr_tf.data.pictures import OTHER_PICTURE_SUFFIXES, PICTURE_SUFFIXES, read_bytes
from gsr_tf.data.records import INDEX_NAME, open_records
from gsr_tf.data.unfindable import is_utf8
from gsr_tf.errors import UserError, first_of, one_line
from gsr_tf.marked_text import decode, lines

STANDARD_INPUT = "-"
ENDINGS = tuple(endings(npz=False))


class InputError(UserError):
    """No pictures where some were expected; the message names the flag."""


class Source(NamedTuple):
    """A picture to answer.

    Attributes:
        file: what results call it: its path below the folder, with suffix.
        name: of its answers, `file` without the suffix where no other picture has the same; always its own.
        path: where it is; None: standard input.
        record: its number, where `path` is the index of records. It is to be seen as stored, as `Example.read_picture`
            gives it; files are seen as their orientation says.
    """

    file: str
    name: str
    path: Path | None
    record: int | None = None

    def read(self) -> bytes:
        """Its bytes; PictureError when they cannot be read."""
        if self.record is not None:
            return _opened(self.path.parent).example(self.record).image
        return sys.stdin.buffer.read() if self.path is None else read_bytes(self.path)


_opened = functools.cache(open_records)


def find(given: str, output: Path) -> list[Source]:
    """The pictures of `--input`; those in a folder by their suffix, at any depth, sorted.

    Hidden files and folders, earlier answers and formats that are not read are left out, and that is said on standard
    error. Linked folders are looked into, each folder once.

    Args:
        given: a file, a folder, a pattern (`**`: at any depth) or "-".
        output: where answers go; pictures in it are earlier answers and left out.

    Raises:
        InputError: there are none.
    """
    path = lists.find(Path(given))
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

    A name that is no file is kept: it is for the answers to say so. Answers keep the folders as they are written. Names
    may be any bytes, as on disks; where none of those that are not UTF-8 is there, it is said that the list is not.

    Raises:
        InputError: the list cannot be read, or is empty.
    """
    try:
        data = sys.stdin.buffer.read() if given == STANDARD_INPUT else Path(given).read_bytes()
    except OSError as error:
        raise InputError(f"--list={given}: cannot be read ({error.strerror})") from error
    try:
        names = lines(decode(data, "surrogateescape"))
    except ValueError as error:
        raise InputError(f"--list={given}: {error}") from error
    paths = [lists.find(Path(name)) for name in names if name.strip()]
    if not paths:
        raise InputError(f"--list={given}: no names there; expected one path a line")
    of_bytes = [path for path in paths if not is_utf8(path)]
    if of_bytes and not any(map(os.path.lexists, of_bytes)):
        try:
            decode(data)
        except ValueError as error:
            print(f"--list={given}: {error}", file=sys.stderr)
    return _named((path, _below(path)) for path in dict.fromkeys(paths))


def from_records(given: str) -> list[Source]:
    """The pictures of a folder of records, each once, in their order; raises RecordsError."""
    index = Path(given, INDEX_NAME)
    named = _named((index, _below(PurePath(name))) for name in open_records(given).columns["name"])
    return [source._replace(record=number) for number, source in enumerate(named)]


def _below(path: PurePath) -> str:
    """The path as one below the output folder: "/a/b.png" -> "a/b.png", "../a.png" -> "up/a.png", "." -> "here"."""
    parts = path.parts[1:] if path.anchor else path.parts
    return str(PurePath(*("up" if part == os.pardir else part for part in parts or ("here",))))


def _in_folder(folder: Path, output: Path) -> list[Source]:
    if os.path.realpath(output) == os.path.realpath(folder):
        raise InputError(f"--output={output} is --input: answers would lie among the pictures; choose another folder")
    files, left_out = [], defaultdict(list)
    try:
        found = _without(folders.walk(folder), output)
    except OSError as error:
        raise InputError(f"{error.filename}: this folder cannot be read ({error.strerror})") from error
    answered = functools.cache(holds_answers)  # for this call: folders get answers
    for path in found:
        file = path.relative_to(folder)
        if path.suffix.lower() not in PICTURE_SUFFIXES + OTHER_PICTURE_SUFFIXES:
            continue
        reason = _why_left_out(file, folder, answered)
        if reason:
            left_out[reason].append(file)
        else:
            files.append((path, str(file)))
    for reason, others in left_out.items():
        print(one_line(f"--input={folder}: left out {len(others)}, {reason}: {first_of(others)}"), file=sys.stderr)
    if not files:
        raise InputError(f"--input={folder}: no pictures there ({', '.join(PICTURE_SUFFIXES)})")
    return _named(files)


def _why_left_out(file: Path, folder: Path, answered: Callable[[Path], bool]) -> str:
    """Why a picture of a folder is not meant; "" where it is."""
    if folders.is_hidden(file):
        return "hidden"
    if _is_answer(file, folder, answered):
        return "earlier answers"
    return "" if file.suffix.lower() in PICTURE_SUFFIXES else "of formats that are not read"


def _is_answer(file: Path, folder: Path, answered: Callable[[Path], bool]) -> bool:
    """Whether a file below a folder is of an answer: by its name, and the results there or in a folder between."""
    return file.name.endswith(ENDINGS) and any(answered(folder / parent) for parent in file.parents)


def _matching(pattern: str, output: Path) -> list[Source]:
    folder, below = _split(pattern)
    found = glob.iglob(os.path.join(glob.escape(str(folder)), below), recursive=True)
    matched = [Path(path) for path in found if os.path.isfile(path)]
    files = {path: str(path.relative_to(folder)) for path in _without(matched, output)}
    answered = functools.cache(holds_answers)
    meant = [(path, file) for path, file in files.items() if not _is_answer(Path(file), folder, answered)]
    if len(meant) < len(files):
        print(f"--input={pattern}: left out {len(files) - len(meant)}, earlier answers", file=sys.stderr)
    if matched and not files:
        raise InputError(f"--input={pattern}: matches no file outside --output={output}; choose another folder")
    if not meant:
        raise InputError(f"--input={pattern}: matches no file")
    return _named(meant)


def _split(pattern: str) -> tuple[Path, str]:
    """The folder that a pattern begins with, and the rest; a folder whose name has a wildcard's signs is a folder."""
    *folders, last = Path(pattern).parts
    plain = Path()
    while folders and (not glob.has_magic(folders[0]) or (plain / folders[0]).is_dir()):
        plain /= folders.pop(0)
    return plain, os.path.join(*folders, last)


def _without(files: Iterable[Path], output: Path) -> list[Path]:
    answers = Path(os.path.realpath(output))  # Path.resolve() raises for a link to itself
    return sorted(path for path in files if answers not in Path(os.path.realpath(path)).parents)


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
