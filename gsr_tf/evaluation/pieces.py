"""A pass over millions of pictures by the workers of an Apache Beam pipeline, a piece of the data set at a time.

Workers read, score and count; what they keep of each picture goes into files, and is added up here, picture by picture
in the order of the data set, as `runner.evaluate` adds it up: floating-point sums depend on their order. On disk that
takes some 35 KB a picture until the pass is finished; in memory no more than `evaluate` takes.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import json
import pickle
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from gsr_tf.answers.child import Ended, child_of
from gsr_tf.comparators.method import Method
from gsr_tf.data import on_beam
from gsr_tf.data.on_beam import BeamError
from gsr_tf.data.writing import write_atomically
from gsr_tf.evaluation import attacks, protocols, runner
from gsr_tf.evaluation.evaluator import Counted, Evaluation
from gsr_tf.evaluation.items import Item
from gsr_tf.evaluation.protocols.protocol import Protocol
from gsr_tf.evaluation.runner import Outcome, Scorer
from gsr_tf.evaluation.study import DataSet
from gsr_tf.inference.postprocessing import POSTPROCESSING

WORK = ".pieces"  # while a pass is made
PICTURES = 64  # a piece
Load = Callable[[], tuple[Sequence[Item], Method]]


@dataclasses.dataclass(frozen=True)
class Pass:
    """What a worker has to know; it can be pickled.

    Attributes:
        load: gives the data set's items and the method.
        attack, postprocessing: names.
        protocols: names, of those that the method's maps can be scored by.
        thresholds: [t].
        folder: of the pieces.
    """

    load: Load
    attack: str
    postprocessing: str
    protocols: list[str]
    thresholds: np.ndarray
    folder: Path

    def piece(self, number: int) -> Path:
        """The file of a piece."""
        return self.folder / f"{number:06d}.npz"


def evaluate(
    path: Path,
    data_set: DataSet,
    scorer: Scorer,
    protocols: Sequence[Protocol],
    thresholds: np.ndarray,
    setting: dict,
    *,
    load: Load,
    runner_name: str,
    options: Sequence[str],
) -> tuple[Evaluation, list[tuple[str, str]]]:
    """As `runner.evaluate`, by a Beam pipeline; pieces that an interrupted pass of this setting left are kept.

    Args:
        path: the pass's folder.
        data_set: what is evaluated on.
        scorer: the method, with attack and post-processing.
        protocols: which scores.
        thresholds: [t] ascending.
        setting: all that the numbers depend on.
        load: gives workers the items and the method.
        runner_name: as `on_beam.run`.
        options: as `on_beam.run`.

    Raises:
        BeamError: Beam is not installed, or the pipeline failed.
    """
    protocols = runner.defined(protocols, scorer.method)
    names = [protocol.name for protocol in protocols]
    work = path.absolute() / WORK
    one = Pass(load, setting["attack"], setting["postprocessing"], names, thresholds, work / _key(setting, thresholds))
    one.folder.mkdir(parents=True, exist_ok=True)
    numbers = range(-(-len(data_set.items) // PICTURES))
    sizes = {one.piece(number).name: min(PICTURES, len(data_set.items) - PICTURES * number) for number in numbers}
    todo = [number for number in numbers if not one.piece(number).exists()]
    make = pickle.dumps(functools.partial(_loaded, one))
    try:
        with on_beam.progress(one.folder, sizes):
            on_beam.run(functools.partial(count_piece, make=make), todo, runner_name, options)
    finally:
        child_of(make).close()  # where workers are threads of this process
    found = (outcome for number in numbers for outcome in _read(one.piece(number), runner_name))
    result = runner.total(found, protocols, thresholds)
    shutil.rmtree(work)
    return result


def _key(setting: dict, thresholds: np.ndarray) -> str:
    """Other for another setting: pieces of one are none of another."""
    return hashlib.sha256(json.dumps([setting, thresholds.tolist(), PICTURES]).encode()).hexdigest()[:16]


def count_piece(number: int, make: bytes) -> None:
    """Leaves the file of a piece; a process that ends over it is started once more.

    Args:
        number: of the piece.
        make: `_loaded` of a `Pass`, pickled.

    Raises:
        Ended: the process ended twice.
        Exception: the method's, and what a worker lacks.
    """
    child = child_of(make)
    try:
        child(number)
    except Ended:
        child(number)


def _loaded(one: Pass) -> Callable[[int], None]:
    """In the child: what scores and counts the pictures of a piece."""
    items, method = one.load()
    scorer = Scorer(method, attacks.parse(one.attack), POSTPROCESSING[one.postprocessing])
    chosen = protocols.choose(one.protocols)

    def count_pictures(number: int) -> None:
        if not one.piece(number).exists():  # a runner may start a piece twice
            mine = items[PICTURES * number : PICTURES * (number + 1)]
            _write(one.piece(number), list(runner.outcomes(mine, scorer, chosen, one.thresholds)))

    return count_pictures


def _write(path: Path, found: Sequence[Outcome]) -> None:
    """Writes outcomes: names and reasons as JSON, each array as it is."""
    arrays = {"": np.frombuffer(json.dumps([[one.name, one.reason] for one in found]).encode(), np.uint8)}
    for place, (_, counted, _) in enumerate(found):
        if counted is not None:
            arrays[f"{place}/row"] = counted.row
            if counted.curves is not None:
                arrays[f"{place}/curves"] = counted.curves
            for protocol, values in counted.kept.items():
                arrays |= {f"{place}/kept/{protocol}/{name}": value for name, value in values.items()}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getvalue())


def _read(path: Path, runner_name: str) -> Iterator[Outcome]:
    try:
        stored = np.load(path)
    except FileNotFoundError as error:
        raise BeamError(
            f"the {runner_name} pipeline left no {path}: do all workers see --output under this path?"
        ) from error
    with stored:
        of_place: dict[str, dict[str, np.ndarray]] = {}
        for name in stored.files:
            place, _, what = name.partition("/")
            of_place.setdefault(place, {})[what] = stored[name]
    for place, (name, reason) in enumerate(json.loads(of_place[""][""].tobytes())):
        yield Outcome(name, _counted(of_place[str(place)]) if str(place) in of_place else None, reason)


def _counted(arrays: dict[str, np.ndarray]) -> Counted:
    kept: dict[str, dict[str, np.ndarray]] = {}
    for what, value in arrays.items():
        if what.startswith("kept/"):
            _, protocol, name = what.split("/", 2)
            kept.setdefault(protocol, {})[name] = value
    return Counted(arrays["row"], kept, arrays.get("curves"))
