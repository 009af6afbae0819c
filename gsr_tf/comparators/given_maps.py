"""Maps that another tool made, as a method: a folder with a file for each picture, found by its name."""

from __future__ import annotations

import contextlib
import hashlib
import io
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
from PIL import ImageOps
from tqdm import tqdm

from gsr_tf.comparators.method import Method, MethodError
from gsr_tf.data.decoding.opening import damage, open_file
from gsr_tf.data.pictures import MAX_PIXELS, read_bytes
from gsr_tf.errors import UserError, first_of, renamed
from gsr_tf.inference.score_maps import ROUNDING, ScoreError

SUFFIXES = (".png", ".tif", ".tiff", ".npy", ".npz")
ENDING = "_map"  # of those that `gsr_tf.predict` writes
ARRAY = "map"  # which of several in an NPZ file
FINGERPRINT = "maps "  # with which those of given maps begin: they are of no model that is here
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    (3, 0): np.lib.format.read_array_header_2_0,  # differs in names of fields alone, of which maps have none
}

MAPS_HELP = (
    "Instead of --saved_model, a folder of maps that another tool made, one of each picture's size: NAME.png or .tif "
    "in grey, where the highest level is 1, NAME.npy, or NAME.npz with one array or one called map, of values from 0 "
    "to 1. NAME is the picture's, or the end of its path, with its suffix or without."
)


def load(folder: str, names: Sequence[str]) -> Method:
    """The method that gives the maps in a folder; what is wrong with one is said where its picture is scored.

    Args:
        folder: of the maps; named after it.
        names: of the items that will be scored (`gsr_tf.evaluation.items`).

    Raises:
        MethodError: no such folder, or no maps in it.
    """
    files = [path for path in sorted(Path(folder).rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not files:
        raise MethodError(f"--maps={folder}: no maps there ({', '.join(SUFFIXES)})")
    partners = _partners(names, {path: path.relative_to(folder).as_posix() for path in files})
    own_name = Path(folder).resolve().name

    def score(picture: np.ndarray, name: str) -> np.ndarray:
        try:
            return read_map(partners(name))
        except UserError as error:
            raise type(error)(renamed(error, Path(folder), f"{own_name}/")) from error

    return Method(
        name=own_name,
        score=score,
        probabilities=True,
        fingerprint=f"{FINGERPRINT}{_digest(folder, files)}",
        uses_name=True,
    )


def _digest(folder: str, files: Sequence[Path]) -> str:
    """Of the maps and of how they are read: sixteen hexadecimal digits."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in tqdm(files, desc="maps", unit="file", delay=2):
        digest.update(f"{path.relative_to(folder).as_posix()}\n".encode(errors="surrogateescape"))
        with contextlib.suppress(OSError):  # the picture whose map it is says so
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _normal(path: str) -> PurePosixPath:
    return PurePosixPath(unicodedata.normalize("NFC", path))


def _of_picture(item: str) -> str:
    """The item's name without the number of its mask."""
    return re.sub(r"#\d+$", "", item)


def _forms(item: str) -> Iterator[str]:
    """What the map of an item's picture may be called, without suffix: the whole of its path, or the end of it."""
    picture = _of_picture(item)
    for name in dict.fromkeys((item, picture)):
        parts = [part for part in _normal(name).parts if part not in ("/", "..")]
        for place in range(len(parts)):
            end = PurePosixPath(*parts[place:])
            yield str(end)
            if name == picture:
                yield str(end.with_suffix(""))


def _matches(names: Sequence[str], stems: Mapping[Path, str]) -> dict[str, list[Path]]:
    """The files of each item of which there are any: those that have the first of its forms that any has."""
    of_form: dict[str, list[Path]] = defaultdict(list)
    for path, stem in stems.items():
        of_form[stem].append(path)
    forms = {name: next((form for form in _forms(name) if form in of_form), None) for name in names}
    return {name: of_form[form] for name, form in forms.items() if form is not None}


def _partners(names: Sequence[str], files: Mapping[Path, str]) -> Callable[[str], Path]:
    """Item's name -> the file of its map; raises ScoreError where there is none, or where it is not certain."""
    stems = {path: str(_normal(relative).with_suffix("")) for path, relative in files.items()}
    found = _matches(names, stems)
    taken = {path for paths in found.values() for path in paths}
    ended = {path: stem.removesuffix(ENDING) for path, stem in stems.items() if path not in taken}
    found |= _matches([name for name in names if name not in found], ended)
    pictures: dict[Path, set[str]] = defaultdict(set)
    for name, paths in found.items():
        for path in paths:
            pictures[path].add(_of_picture(name))

    def partner(name: str) -> Path:
        if name not in found:
            raise ScoreError("there is no map of it")
        if len(found[name]) > 1:
            raise ScoreError(f"several maps of it: {first_of(found[name])}")
        (path,) = found[name]
        if len(pictures[path]) > 1:
            of = first_of(sorted(pictures[path]))
            raise ScoreError(f"{path}: the map of {of}; put maps into folders of the pictures' names")
        return path

    return partner


def read_map(path: Path) -> np.ndarray:
    """A map file -> [h, w] float32 in 0..1; an EXIF orientation is applied.

    Raises:
        PictureError: it cannot be read.
        ScoreError: it is no such map.
    """
    read = _array if path.suffix.lower() in (".npy", ".npz") else _picture
    scores = read(read_bytes(path), str(path))
    found = f"{path}: an array of {scores.shape} of {scores.dtype}"
    scores = np.squeeze(scores) if scores.ndim > 2 else scores
    if scores.ndim == 3 and (scores == scores[..., :1]).all():  # grey, written as colours
        scores = scores[..., 0]
    if scores.ndim != 2 or not scores.size or scores.dtype.kind not in "buif":
        raise ScoreError(f"{found}; expected one number a pixel: a picture in grey, or [height, width]")
    scores = scores.astype(np.float32)
    if scores.min() < -ROUNDING or scores.max() > 1 + ROUNDING:
        raise ScoreError(f"{path}: values from {scores.min():g} to {scores.max():g}; expected 0 to 1 in all maps")
    return scores.clip(0, 1)


def _array(data: bytes, name: str) -> np.ndarray:
    with damage(name, "cannot be read"):
        if data.startswith(np.lib.format.MAGIC_PREFIX):
            return _read_array(io.BytesIO(data), len(data))
        stored = np.load(io.BytesIO(data), allow_pickle=False)
        if len(stored.files) != 1 and ARRAY not in stored.files:
            raise ValueError(f"arrays {first_of(stored.files)}; expected one, or one called {ARRAY}")
        array = ARRAY if ARRAY in stored.files else stored.files[0]
        member = stored.zip.getinfo(array if array in stored.zip.namelist() else f"{array}.npy")
        with stored.zip.open(member) as stream:
            return _read_array(stream, member.file_size)


def _read_array(stream: IO[bytes], size: int) -> np.ndarray:
    """The array in a stream of that many bytes; ValueError where its header names more, before memory is taken."""
    version = np.lib.format.read_magic(stream)
    if version not in HEADERS:
        raise ValueError(f"version {version} of the format; expected one of {', '.join(map(str, HEADERS))}")
    shape, _, dtype = HEADERS[version](stream)
    if math.prod(shape) * dtype.itemsize > size:
        raise ValueError(f"an array of {shape} of {dtype} in {size:,} bytes")
    stream.seek(0)
    return np.lib.format.read_array(stream, allow_pickle=False)


def _picture(data: bytes, name: str) -> np.ndarray:
    opened, _ = open_file(data, name, MAX_PIXELS)
    with damage(name, "truncated or damaged"):
        image = ImageOps.exif_transpose(opened)
        levels = np.asarray(image.convert("RGB") if image.mode == "P" else image)
        return levels / np.iinfo(levels.dtype).max if levels.dtype.kind == "u" else levels
