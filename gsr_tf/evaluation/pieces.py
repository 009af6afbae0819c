"""What an unfinished pass over a data set keeps of its pictures: files, one for each piece of the data set.

They are added up picture by picture in the order of the data set: floating-point sums depend on their order. On disk
that takes some 35 KB a picture until the pass is finished.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gsr_tf.data.writing import write_atomically
from gsr_tf.evaluation import runner
from gsr_tf.evaluation.evaluator import Counted
from gsr_tf.evaluation.items import Item
from gsr_tf.evaluation.protocols.protocol import Protocol
from gsr_tf.evaluation.runner import Outcome, Scorer

WORK = ".pieces"  # while a pass is made
PICTURES = 64  # a piece


def sizes(count: int) -> list[int]:
    """How many of `count` pictures are in each piece, the last of which may have fewer."""
    return [min(PICTURES, count - begin) for begin in range(0, count, PICTURES)]


def folder_of(path: Path, setting: dict, thresholds: np.ndarray) -> Path:
    """Where a pass into `path` keeps its pieces: another folder for another setting."""
    key = hashlib.sha256(json.dumps([setting, thresholds.tolist(), PICTURES]).encode()).hexdigest()[:16]
    return path.absolute() / WORK / key


def file_of(folder: Path, number: int) -> Path:
    """The file of a piece."""
    return folder / f"{number:06d}.npz"


def is_whole(path: Path) -> bool:
    """Whether there is a piece's file that can be read: a machine that lost its power may leave half of one."""
    return zipfile.is_zipfile(path)


def outcomes(
    items: Sequence[Item], scorer: Scorer, protocols: Sequence[Protocol], thresholds: np.ndarray, folder: Path
) -> Iterator[Outcome]:
    """As `runner.outcomes`; what comes of each 64 items is kept in `folder`, and what is there is not made again."""
    pictures = sizes(len(items))
    whole = [is_whole(file_of(folder, number)) for number in range(len(pictures))]
    todo = [item for place, item in enumerate(items) if not whole[place // PICTURES]]
    fresh = runner.outcomes(todo, scorer, protocols, thresholds)  # one for all pieces: a GPU has no rest between them
    for number, count in enumerate(pictures):
        if whole[number]:
            yield from read(file_of(folder, number))
            continue
        found = []
        for outcome in itertools.islice(fresh, count):
            found.append(outcome)
            yield outcome
        if number + 1 < len(pictures):  # the pass ends with the last one
            write(file_of(folder, number), found)


def write(path: Path, found: Sequence[Outcome]) -> None:
    """Writes outcomes: names and reasons as JSON, each array as it is."""
    arrays = {"": np.frombuffer(json.dumps([[one.name, one.picture, one.reason] for one in found]).encode(), np.uint8)}
    for place, counted in enumerate(one.counted for one in found):
        if counted is not None:
            arrays[f"{place}/row"] = counted.row
            if counted.curves is not None:
                arrays[f"{place}/curves"] = counted.curves
            for protocol, values in counted.kept.items():
                arrays |= {f"{place}/kept/{protocol}/{name}": value for name, value in values.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getvalue())


def read(path: Path) -> Iterator[Outcome]:
    """What `write` wrote; raises FileNotFoundError."""
    with np.load(path) as stored:
        of_place: dict[str, dict[str, np.ndarray]] = {}
        for name in stored.files:
            place, _, what = name.partition("/")
            of_place.setdefault(place, {})[what] = stored[name]
    for place, (name, picture, reason) in enumerate(json.loads(of_place[""][""].tobytes())):
        yield Outcome(name, picture, _counted(of_place[str(place)]) if str(place) in of_place else None, reason)


def _counted(arrays: dict[str, np.ndarray]) -> Counted:
    kept: dict[str, dict[str, np.ndarray]] = {}
    for what, value in arrays.items():
        if what.startswith("kept/"):
            _, protocol, name = what.split("/", 2)
            kept.setdefault(protocol, {})[name] = value
    return Counted(arrays["row"], kept, arrays.get("curves"))
