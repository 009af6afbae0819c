"""Any folder of pictures through decoding and preparation, beside what Pillow and OpenCV show; prints one JSON object.

    python -m benchmarks.corpus --folder=FOLDER

Meant for test suites of image libraries and for folders of users. Every file must be decoded or refused in words, and
a record must hold what decoding shows: `unexpected` and `prepared_differently` are to be empty, and `probed_otherwise`
too, for what is checked fast must be what is decoded. Where pictures look other than in Pillow or OpenCV, by more than
2 of 255 levels on average, each is named with the notes that an answer would carry; those explain most.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from absl import flags
from PIL import Image, ImageOps
from tqdm import tqdm

from data_prep.reading.entries import Entry, Refused
from data_prep.writing.examples import make_example
from gsr_tf import command
from gsr_tf.data.example import parse_example
from gsr_tf.data.pictures import PictureError, Raster, decode_picture, probe_picture, read_bytes

MAX_PIXELS = 64_000_000
ALIKE = 2.0  # of 255 levels, on average: decoders of JPEG round differently


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("folder", None, "Of pictures, at any depth.", required=True, flag_values=values)


def _action(args: flags.FlagValues) -> None:
    print(json.dumps(look_through(Path(args.folder)), indent=1))


def _by_pillow(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


def _by_opencv(path: Path) -> np.ndarray:
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    return pixels[..., ::-1]


def _prepared(path: Path) -> np.ndarray:
    return parse_example(make_example(Entry(path.name, str(path))).payload).read_picture()


def _difference(pixels: np.ndarray, other: Callable[[Path], np.ndarray], path: Path) -> float | None:
    """The average difference in levels; infinite for another size; None where the other one cannot read the file."""
    try:
        shown = other(path)
    except Exception:  # what others raise is theirs
        return None
    return float(np.abs(pixels.astype(int) - shown).mean()) if shown.shape == pixels.shape else float("inf")


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """What C libraries write of damaged files on standard error is dropped."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _decoded(path: Path) -> Raster | str:
    """The picture, or why it is refused."""
    try:
        return decode_picture(read_bytes(path), path.name, max_pixels=MAX_PIXELS)
    except PictureError as error:
        return str(error).removeprefix(f"{path.name}: ")


def _look(path: Path, report: dict, counts: Counter, differs: dict) -> None:
    name = str(path)
    start = time.perf_counter()
    found = _decoded(path)
    report["slowest"].append((round(time.perf_counter() - start, 2), name))
    try:
        probe = probe_picture(read_bytes(path), path.name, max_pixels=MAX_PIXELS)[:2]
    except PictureError:
        probe = None
    if probe != (None if isinstance(found, str) else found.pixels.shape[:2]):
        differs["probed_otherwise"].append([name, str(probe), found if isinstance(found, str) else "decoded"])
    if isinstance(found, str):
        report["refused"][found.partition("(")[0].strip()] += 1
        if (seen := _difference(np.zeros((1, 1, 3), np.uint8), _by_pillow, path)) is not None:
            differs["refused_but_pillow_shows"].append([name, found])
        counts["refused"] += 1
        return
    counts["decoded"] += 1
    for key, other in (("other_than_pillow", _by_pillow), ("other_than_opencv", _by_opencv)):
        seen = _difference(found.pixels, other, path)
        counts[f"{key.removeprefix('other_than_')}_reads"] += seen is not None
        if seen is not None and seen > ALIKE:
            differs[key].append([name, round(seen, 1) if np.isfinite(seen) else "another size", *found.notes])
    try:
        if not np.array_equal(_prepared(path), found.pixels):
            differs["prepared_differently"].append([name])
    except Refused as refused:
        differs["prepared_differently"].append([name, str(refused.detail)])


def look_through(folder: Path) -> dict:
    """Every file below a folder, decoded, probed, prepared and compared."""
    report = {"refused": Counter(), "slowest": []}
    counts, differs, unexpected = Counter(), defaultdict(list), []
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with _silence():
        for path in tqdm(files, unit="file", file=sys.stdout):
            try:
                _look(path, report, counts, differs)
            except Exception as error:
                unexpected.append([str(path), repr(error)])
    return {
        "files": len(files),
        **counts,
        "unexpected": unexpected,
        **{key: differs[key] for key in ("prepared_differently", "probed_otherwise")},
        **{key: differs[key] for key in ("other_than_pillow", "other_than_opencv", "refused_but_pillow_shows")},
        "refused_by_reason": dict(report["refused"].most_common()),
        "slowest": sorted(report["slowest"], reverse=True)[:3],
    }


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
