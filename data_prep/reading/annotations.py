"""COCO's annotation files, as annotation tools write them: which picture has which annotations.

An id is the same whether written as a number or as text. One file under several ids has the annotations of all of
them; an id of several files has annotations of which nobody knows whose they are, and its files are refused: no
picture that somebody annotated is taken for an authentic one.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from tqdm import tqdm

from data_prep.reading.entries import PreparationError, Skipped
from data_prep.reading.files import not_utf_8
from data_prep.reading.json_arrays import elements
from gsr_tf.data import lists
from gsr_tf.data.pictures import MAX_PIXELS
from gsr_tf.errors import first_of

Place = tuple[int, int]


class Annotated(NamedTuple):
    """A picture of an annotation file.

    Attributes:
        name: `file_name`, with "/" between folders.
        path: of the file.
        shape: (height, width), by the annotation file.
        places: (first byte, length) of each of its annotations.
    """

    name: str
    path: str
    shape: tuple[int, int]
    places: tuple[Place, ...]


class _Listed(NamedTuple):
    number: str
    name: str
    shape: tuple[int, int]


def read_annotations(
    annotations: Path, images: Path, crowds: bool, without: Collection[str] = ()
) -> tuple[list[Annotated], list[Skipped]]:
    """Reads an annotation file, without keeping its outlines.

    Args:
        annotations: the JSON file.
        images: folder of the pictures.
        crowds: whether what is marked as a crowd is an object.
        without: ids of categories whose annotations are passed over.

    Returns:
        Its pictures by name, and what of it cannot be used.

    Raises:
        PreparationError: not such a file, or all of its objects are crowds and these are not asked for.
    """
    listed, places = _read(annotations, crowds, without)
    by_number, by_file = defaultdict(set), defaultdict(list)
    for picture in listed:
        by_number[picture.number].add(picture.name)
        by_file[picture.name].append(picture)
    files_of = {number: sorted(names) for number, names in by_number.items()}
    found, skipped = [], []
    for name, pictures in sorted(by_file.items()):
        numbers = sorted({picture.number for picture in pictures})
        refusal = _refusal(name, pictures, files_of)
        if refusal:
            skipped.append(refusal)
        else:
            own = tuple(place for number in numbers for place in places.get(number, ()))
            found.append(Annotated(name, inside(images, name), pictures[0].shape, own))
    orphans = sorted(number for number in places if number not in files_of)
    return found, skipped + [Skipped(f"image id {number}", "objects of no picture") for number in orphans]


def _refusal(name: str, pictures: list[_Listed], files_of: dict[str, list[str]]) -> Skipped | None:
    """Why a picture that the file lists cannot be used."""
    fault = not_utf_8(name)
    if fault:
        return fault
    for number, others in ((picture.number, files_of[picture.number]) for picture in pictures):
        if len(others) > 1:
            return Skipped(name, "image id used twice", f"id {number}: {first_of(others)}")
    shapes = sorted({picture.shape for picture in pictures})
    if len(shapes) > 1:
        return Skipped(name, "listed twice, in two sizes", ", ".join(f"{w}x{h}" for h, w in shapes))
    height, width = shapes[0]
    if not 0 < height * width <= MAX_PIXELS or height < 0:
        return Skipped(name, "size is none", f"{width}x{height} by the annotation file")
    if inside(Path(), name) is None:
        return Skipped(name, "file_name leads outside the folder")
    return None


def inside(folder: Path, name: str) -> str | None:
    """The file of a name below a folder, in whichever Unicode form it is there; None where it leads outside."""
    path = PureWindowsPath(name)  # takes both kinds of slashes
    if path.anchor or ".." in path.parts or "\0" in name:
        return None
    return str(lists.find(folder / path.as_posix()))


def category_ids(annotations: Path) -> dict[str, str]:
    """{name: id} of the categories of an annotation file; raises PreparationError."""
    with refusing(annotations):
        categories = (value for key, _, _, value in elements(annotations) if key == "categories")
        return {value["name"]: id_text(value["id"]) for value in categories}


@contextlib.contextmanager
def refusing(annotations: Path) -> Iterator[None]:
    """Within it, whatever is wrong with an annotation file is a PreparationError."""
    try:
        yield
    except OSError as error:
        raise PreparationError(f"--annotations={annotations}: cannot be read ({error.strerror})") from error
    except KeyError as error:
        raise PreparationError(f"--annotations={annotations}: not a COCO annotation file ({error} missing)") from error
    except RecursionError as error:
        raise PreparationError(f"--annotations={annotations}: not a COCO annotation file (nested too deep)") from error
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise PreparationError(f"--annotations={annotations}: not a COCO annotation file ({error})") from error


def _read(annotations: Path, crowds: bool, without: Collection[str]) -> tuple[list[_Listed], dict[str, list[Place]]]:
    """The pictures in their order, and the places of the annotations by their picture's id."""
    listed, places, crowded = [], defaultdict(list), 0
    shown = {"unit": "B", "unit_scale": True, "desc": annotations.name, "delay": 2}
    with refusing(annotations), tqdm(total=annotations.stat().st_size, **shown) as bar:
        for key, start, length, value in elements(annotations):
            bar.update(start + length - bar.n)
            if key == "images":
                listed.append(_listed(value))
            elif key == "annotations" and not (without and id_text(value["category_id"]) in without):
                places[id_text(value["image_id"])].append((start, length))
                crowded += bool(value.get("iscrowd"))
    if not listed:
        raise PreparationError(f"--annotations={annotations}: lists no pictures under 'images'")
    if not crowds:
        refuse_crowds(annotations, crowded, sum(map(len, places.values())))
    return listed, places


def refuse_crowds(annotations: Path, crowded: int, objects: int) -> None:
    """Raises PreparationError where all of a file's objects are crowds, and these are not asked for."""
    if 0 < crowded == objects:
        raise PreparationError(
            f"--annotations={annotations}: all {crowded:,} objects are marked iscrowd, as CVAT marks what was drawn "
            "with a brush; --crowds takes them as objects"
        )


def _listed(value: dict) -> _Listed:
    name = value["file_name"].replace("\\", "/")
    return _Listed(id_text(value["id"]), name, (int(value["height"]), int(value["width"])))


def id_text(value: object) -> str:
    """An id as text: 7, 7.0 and "7" are one."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(f"id {value!r}")
    return str(value)
