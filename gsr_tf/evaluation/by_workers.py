"""A pass over millions of pictures by the workers of an Apache Beam pipeline, a piece of the data set at a time.

Workers read, score and count; what they keep of each picture goes into the files of `pieces`, and is added up here, as
`runner.evaluate` adds it up. In memory that takes no more than `evaluate` takes.
"""

from __future__ import annotations

import dataclasses
import functools
import pickle
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from gsr_tf.answers.child import Ended, child_of
from gsr_tf.comparators.method import Method
from gsr_tf.data import on_beam
from gsr_tf.evaluation import attacks, pieces, protocols, runner
from gsr_tf.evaluation.evaluator import Evaluation
from gsr_tf.evaluation.items import Item
from gsr_tf.evaluation.protocols.protocol import Protocol
from gsr_tf.evaluation.runner import Scorer
from gsr_tf.evaluation.study import DataSet
from gsr_tf.inference.postprocessing import POSTPROCESSING

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
        return pieces.file_of(self.folder, number)


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
    folder = pieces.folder_of(path, setting, thresholds)
    one = Pass(load, setting["attack"], setting["postprocessing"], names, thresholds, folder)
    one.folder.mkdir(parents=True, exist_ok=True)
    sizes = {one.piece(number).name: count for number, count in enumerate(pieces.sizes(len(data_set.items)))}
    numbers = range(len(sizes))
    todo = [number for number in numbers if not pieces.is_whole(one.piece(number))]
    make = pickle.dumps(functools.partial(_loaded, one))
    try:
        with on_beam.progress(one.folder, sizes):
            on_beam.run(functools.partial(count_piece, make=make), todo, runner_name, options)
    finally:
        child_of(make).close()  # where workers are threads of this process
    found = (outcome for number in numbers for outcome in pieces.read(one.piece(number)))
    with on_beam.left_by(runner_name):
        result = runner.total(found, protocols, thresholds)
    shutil.rmtree(folder.parent)
    return result


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
        if not pieces.is_whole(one.piece(number)):  # a runner may start a piece twice
            mine = items[pieces.PICTURES * number : pieces.PICTURES * (number + 1)]
            pieces.write(one.piece(number), list(runner.outcomes(mine, scorer, chosen, one.thresholds)))

    return count_pictures
