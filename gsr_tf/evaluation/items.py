"""What an evaluation goes through: named pictures with their truth, read one at a time."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from tqdm import tqdm

from gsr_tf import marked_text
from gsr_tf.data.decoding.orientation import to_stored
from gsr_tf.data.lists import find
from gsr_tf.data.masks import PLAIN, read_mask
from gsr_tf.data.pictures import PictureError, decode_picture, read_bytes
from gsr_tf.data.records import Records
from gsr_tf.errors import one_line, renamed

HEADERS = [[picture, "mask"] for picture in ("picture", "image")]
Sample = tuple[np.ndarray, np.ndarray | None]
Read = TypeVar("Read")


def evenly(sequence: Sequence, count: int) -> list:
    """Up to `count` entries, evenly spread; of two or more the first and the last are among them."""
    return [sequence[i] for i in np.unique(np.linspace(0, len(sequence) - 1, count).astype(int))] if sequence else []


class Item(NamedTuple):
    """One picture to score.

    Attributes:
        name: unique in its data set.
        read: gives (picture [h, w, 3] uint8 RGB, mask [h, w] bool, True = manipulated; None for an authentic
            picture); raises PictureError.
        picture: its picture's name where that has several masks, with an item each; empty: `name` is the picture's.
    """

    name: str
    read: Callable[[], Sample]
    picture: str = ""


def readable(reads: Sequence[Callable[[], Read]], where: str) -> tuple[list[Read], int]:
    """What can be read, and how many raise PictureError, which standard error is told as left out of `where`."""
    found = []
    for read in reads:
        try:
            found.append(read())
        except PictureError as error:
            print(one_line(f"{where}: left out {error}"), file=sys.stderr)
    return found, len(reads) - len(found)


def _read_record(records: Records, record: int, mask: int | None) -> Sample:
    example = records.example(record)
    return example.read_picture(), None if mask is None else example.read_mask(mask)


def from_records(records: Records) -> Sequence[Item]:
    """One item a (picture, mask), in the records' order, then one an authentic picture.

    The items of a picture with several masks are named `name#0`, `name#1`...
    """
    names, masks = records.columns["name"], records.columns["masks"]

    def item(record: int, mask: int | None) -> Item:
        name, several = names[record], masks[record] > 1
        read = functools.partial(_read_record, records, record, mask)
        return Item(f"{name}#{mask}", read, picture=name) if several else Item(name, read)

    manipulated = [item(int(record), int(mask)) for record, mask in records.pairs]
    return manipulated + [item(record, None) for record, count in enumerate(masks) if not count]


def _read_pair(name: str, picture: Path, mask: Path | None, say: Callable[[str], None]) -> Sample:
    """What the item of a picture file and its mask file reads.

    A mask lies over the picture as viewers show it or, where only that fits, as the file stores it. A black one says
    that the picture is authentic.

    Args:
        name: of the item.
        picture: its file.
        mask: the mask's; None: the picture is authentic.
        say: is told what was not plain to see in how the mask was read.

    Raises:
        PictureError: a file cannot be read, or the mask is none of this picture's.
    """
    raster = decode_picture(read_bytes(find(picture)), str(picture))
    if mask is None:
        return raster.pixels, None
    truth = read_mask(find(mask))
    for note in truth.notes:
        say(note)
    if truth.dim:
        raise PictureError(
            f"{mask}: its levels end at {truth.levels[1]}: neither black nor a mask, which marks by levels "
            f"above {PLAIN.threshold}; save it in black and white, as PNG"
        )
    if not truth.pixels.any():
        say("black, and so the picture is authentic")
        return raster.pixels, None
    if truth.pixels.all():
        say("marks every pixel: the whole picture is manipulated; if not so, save the mask in black and white")
    pixels, shape = raster.pixels, truth.pixels.shape
    if raster.orientation >= 5 and pixels.shape[:2] == shape[::-1] != shape:
        return to_stored(pixels, raster.orientation), truth.pixels
    if pixels.shape[:2] != shape:
        sizes = "picture {1}x{0}, mask {3}x{2}".format(*pixels.shape[:2], *shape)
        raise PictureError(f"{name}: {sizes} (width x height); is {mask} this picture's?")
    return pixels, truth.pixels


def from_list(path: str | os.PathLike) -> Sequence[Item]:
    """The items of a CSV file: `picture,mask` a line, no mask, or a black one, for an authentic picture.

    Paths are relative to the list's folder; an item is named by its picture's path as written. A first line
    `picture,mask` is a header; semicolons separate where no line has a comma. A file that is listed again, spelt in
    another way, cannot be read.

    Raises:
        PictureError: the list cannot be read, is empty, or has a line of another form.
    """
    folder, rows, said = Path(path).parent, _rows(path), set()

    def say(mask: str, note: str) -> None:
        if note not in said:
            said.add(note)
            tqdm.write(one_line(f"{mask}: {note} (said once)"), file=sys.stderr)

    spelt: dict[str, str] = {}

    def item(picture: str, mask: str) -> Item:
        first = spelt.setdefault(os.path.abspath(find(folder / picture)), picture)
        if first != picture:
            return Item(picture, functools.partial(_listed_before, picture, first))
        return Item(picture, functools.partial(_read_listed, folder, picture, mask, functools.partial(say, mask)))

    return [item(picture, mask) for picture, mask in rows]


def _read_listed(folder: Path, picture: str, mask: str, say: Callable[[str], None]) -> Sample:
    """As `_read_pair`, of files as a list in this folder writes them, and as errors name them; no mask is ""."""
    try:
        return _read_pair(picture, folder / picture, folder / mask if mask else None, say)
    except PictureError as error:
        raise PictureError(renamed(error, folder, "")) from error


def _listed_before(picture: str, first: str) -> Sample:
    """What becomes of a picture that a list names in two ways; twice in one way is found by its name."""
    raise PictureError(f"{picture}: the same file as {first}, which is listed before; list each picture once")


def fingerprint(path: str | os.PathLike) -> str:
    """Of a list's text, so that it is the same on every machine: sixteen hexadecimal digits.

    Raises:
        PictureError: the list cannot be read.
    """
    return hashlib.sha256(_list_bytes(path)).hexdigest()[:16]


def files_now(path: str | os.PathLike) -> str:
    """Of the files that a list names, as they are now: sixteen hexadecimal digits, others when one of them changed.

    Sizes and times tell a change without reading what may be terabytes. They are those of one machine: good to decide
    whether its own numbers still hold, and never published, as `fingerprint` is.

    Raises:
        PictureError: as `from_list`.
    """
    digest, folder = hashlib.sha256(), Path(path).parent
    for row in _rows(path):
        digest.update(f"{[_now(folder / name) for name in row if name]}\n".encode())
    return digest.hexdigest()[:16]


def _now(path: Path) -> tuple[int, int, int] | None:
    """A file's size, when it was written and when its inode changed, in nanoseconds; None of one that cannot be read.

    Files that change places, or are replaced by one of the same size and time, show that in their inodes alone.
    """
    file = find(path)
    try:
        stat = file.stat()
        return (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) if os.access(file, os.R_OK) else None
    except (OSError, ValueError):  # as `read_bytes`
        return None


def _list_bytes(path: str | os.PathLike) -> bytes:
    try:
        return read_bytes(path)
    except PictureError as error:
        raise PictureError(f"--pairs={error}") from error


def _rows(path: str | os.PathLike) -> list[tuple[str, str]]:
    if Path(path).suffix.lower() == ".json":
        raise PictureError(
            f"--pairs={path}: expected a CSV file; a list in JSON becomes records, python -m data_prep.interchange "
            f"--input={path} --output=DIR, and is then evaluated by --records=DIR"
        )
    data = _list_bytes(path)
    try:
        text = marked_text.decode(data)
        rows = marked_text.rows(text, ";" if ";" in text and "," not in text else ",")
    except ValueError as error:
        raise PictureError(f"--pairs={path}: {error}") from error
    rows = [[word.strip() for word in row] for row in rows]
    numbered = [(number, row) for number, row in enumerate(rows, start=1) if any(row)]
    if numbered and [word.lower() for word in numbered[0][1]] in HEADERS:
        numbered = numbered[1:]
    if not numbered:
        raise PictureError(f"--pairs={path}: the list is empty; write one `picture,mask` a line")
    for number, row in numbered:
        if len(row) > 2 or not row[0]:
            found = f"{len(row)} columns" if row[0] else "no picture"
            raise PictureError(f"--pairs={path}: line {number} has {found}; expected `picture,mask`")
    return [(row[0], row[1] if len(row) == 2 else "") for _, row in numbered]
