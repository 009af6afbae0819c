"""One pass over a data set: every picture read, attacked, scored once and counted by every protocol.

A picture that cannot be scored is named, counted and left out; it never ends a run and never counts as a score.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from gsr_tf.comparators.method import Method, MethodError
from gsr_tf.data.decoding.lacking import naming
from gsr_tf.data.pictures import PictureError
from gsr_tf.evaluation import attacks
from gsr_tf.evaluation.attacks import Attack
from gsr_tf.evaluation.evaluator import Counted, Evaluation, Evaluator, count
from gsr_tf.evaluation.items import Item, evenly
from gsr_tf.evaluation.metrics import PROBABILITY_GRID, check_scores, quantile_grid
from gsr_tf.evaluation.protocols.protocol import Protocol
from gsr_tf.inference import postprocessing
from gsr_tf.inference.device import gpus
from gsr_tf.inference.score_maps import ScoreError

# Enough pictures, and pixels of each, for 256 quantiles; they bound what the pass before the pass costs.
GRID_PICTURES, GRID_PIXELS = 256, 4096


class Scored(NamedTuple):
    """A picture with its map: [h, w, 3] uint8, [h, w] scores, [h, w] bool mask, and whether it was manipulated."""

    picture: np.ndarray
    scores: np.ndarray
    mask: np.ndarray
    manipulated: bool


@dataclasses.dataclass(frozen=True)
class Scorer:
    """A method with what is done before and after it.

    Attributes:
        method: picture -> score map.
        attack: done to each picture at its own size; the truth stays as it is.
        postprocess: done to each score map at the size of its mask.
    """

    method: Method
    attack: Attack = attacks.NONE
    postprocess: Callable[[np.ndarray], np.ndarray] = postprocessing.POSTPROCESSING["none"]

    def __post_init__(self):
        """Raises MethodError for a clean-up that the method's maps would not survive."""
        if self.postprocess is postprocessing.paper and not self.method.probabilities:
            raise MethodError(
                f"--postprocessing=paper is for maps of probabilities, and those of {self.method.name} are none; "
                "--protocols=paper-cleaned cleans the mask of each of its thresholds"
            )

    def __call__(self, item: Item) -> Scored:
        """Reads and scores an item.

        Raises:
            PictureError: it cannot be read, or its mask has another size.
            ScoreError: the method cannot work on it, or gave a map that cannot be scored.
            MemoryError: names it; nothing is wrong with it, and a run without it would score another data set.
        """
        with naming(item.name):
            return self._score(item)

    def _score(self, item: Item) -> Scored:
        picture, truth = item.read()
        mask = np.zeros(picture.shape[:2], bool) if truth is None else truth
        if mask.shape != picture.shape[:2]:
            raise PictureError(f"mask of {mask.shape}, picture of {picture.shape[:2]}; prepare the data set again")
        attacked = self.attack(picture)
        scores = self.method(attacked, attacks.mask_for(attacked, mask), item.name)
        check_scores(scores, attacked[..., 0])
        scores = self.postprocess(attacks.back_to_size(scores, mask.shape))
        return Scored(picture, scores, mask, truth is not None)


def threshold_grid(items: Sequence[Item], scorer: Scorer) -> np.ndarray:
    """The method's thresholds: 256 probabilities, or quantiles of the scores of up to 256 of the pictures."""
    if scorer.method.probabilities:
        return PROBABILITY_GRID
    samples = []
    for item in evenly(items, GRID_PICTURES):
        try:
            scores = scorer(item).scores.ravel()
        except (PictureError, ScoreError):
            continue  # the pass itself names it
        samples.append(scores[np.linspace(0, scores.size - 1, GRID_PIXELS).astype(int)])
    return quantile_grid(np.stack(samples) if samples else PROBABILITY_GRID)


TWICE = "the name was there before; names must be unique in a data set"


def _twice(item: Item) -> Scored:
    """What becomes of an item whose name was there before."""
    raise PictureError(TWICE)


class Outcome(NamedTuple):
    """What came of one item, of that name and picture: it was counted, or there is a reason why not."""

    name: str
    picture: str
    counted: Counted | None
    reason: str = ""


def _begun(items: Iterable[Item], scorer: Scorer) -> Iterator[tuple[Item, Future[Scored]]]:
    """Each item and what its scoring gives, in order.

    On a GPU as many are scored at a time as go through the network together, and in memory; on a CPU, which is full
    with one, one after the other.
    """
    from gsr_tf.inference.together import MOST  # TensorFlow: command lines need not wait for it

    threads = MOST if gpus() else 1
    seen: set[str] = set()
    begun: deque[tuple[Item, Future[Scored]]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for item in items:
            begun.append((item, pool.submit(_twice if item.name in seen else scorer, item)))
            seen.add(item.name)
            if len(begun) == threads:
                yield begun.popleft()
        while begun:
            yield begun.popleft()
    finally:
        pool.shutdown(cancel_futures=True)


def outcomes(
    items: Iterable[Item], scorer: Scorer, protocols: Sequence[Protocol], thresholds: np.ndarray
) -> Iterator[Outcome]:
    """What comes of each item, in order; arguments as those of `evaluate`."""
    for item, result in _begun(items, scorer):
        names = item.name, item.picture or item.name
        try:
            scored = result.result()
        except (PictureError, ScoreError) as error:
            yield Outcome(*names, None, str(error))
        else:
            yield Outcome(*names, count(protocols, thresholds, scored.scores, scored.mask, scored.manipulated))


def defined(protocols: Sequence[Protocol], method: Method) -> list[Protocol]:
    """The protocols that a method's maps can be scored by: some need probabilities."""
    return [one for one in protocols if method.probabilities or not one.needs_probabilities]


def total(
    found: Iterable[Outcome], protocols: Sequence[Protocol], thresholds: np.ndarray
) -> tuple[Evaluation, list[tuple[str, str]]]:
    """Adds up the outcomes of a data set in their order, on which the last bits of sums depend; see `evaluate`.

    They may come in pieces that know nothing of one another, so that a name may be counted in two of them.
    """
    evaluator, skipped, seen = Evaluator(protocols, thresholds), [], set()
    for name, picture, counted, reason in found:
        if name in seen:
            skipped.append((name, TWICE))
        elif counted is None:
            skipped.append((name, reason))
        else:
            evaluator.add_counted(name, picture, counted)
        seen.add(name)
    return evaluator.finish(), skipped


def evaluate(
    items: Sequence[Item],
    scorer: Scorer,
    protocols: Sequence[Protocol],
    thresholds: np.ndarray,
    outcomes: Callable[..., Iterator[Outcome]] = outcomes,
) -> tuple[Evaluation, list[tuple[str, str]]]:
    """Evaluates a method over a data set.

    Args:
        items: the data set.
        scorer: the method, with attack and post-processing.
        protocols: which scores; those that need probabilities are left out for maps that are none.
        thresholds: [t] ascending, from `threshold_grid`; an attack's, of the pictures as they are.
        outcomes: makes, or finds, what this module's makes.

    Returns:
        The Evaluation, and (name, reason) of each picture that was skipped.
    """
    protocols = defined(protocols, scorer.method)
    shown = {"desc": f"{scorer.method.name}, {scorer.attack.name}", "unit": "picture", "total": len(items)}
    return total(tqdm(outcomes(items, scorer, protocols, thresholds), **shown), protocols, thresholds)
