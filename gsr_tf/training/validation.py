"""Scores of the present network on held-out pictures, while it trains."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from gsr_tf.data.augment.recolouring import Recolouring
from gsr_tf.data.batch import Batch
from gsr_tf.data.pipeline import held_out_stream, readable
from gsr_tf.data.preparation import Preparation
from gsr_tf.data.records import Records, RecordsError
from gsr_tf.evaluation import metrics
from gsr_tf.settings import Checked, setting

Scores = Callable[[], dict[str, float]]
SEED = 20_000_000  # far from the runs' own: every run is validated on the same pictures and composites


@dataclasses.dataclass(frozen=True)
class Validation(Checked):
    """How a run is validated."""

    validation_pictures: int = setting(
        200,
        "At most so many validation pictures, the same ones each time; what cannot be decoded is left out.",
        least=1,
    )


class HeldOut(NamedTuple):
    """Held-out pictures, or composites of them, at the network's resolution, the same ones each time.

    Attributes:
        stream: batches of one; what cannot be decoded is named and left out.
        count: how many there are, with those.
        records: those that it is of, S's first; with T's, M is the picture, not S.
    """

    stream: tf.data.Dataset
    count: int
    records: Sequence[Records]

    @property
    def composites(self) -> bool:
        """Whether M is the picture, not S."""
        return len(self.records) > 1

    def batches(self, title: str) -> Iterator[Batch]:
        """Batches of one, with a progress bar of this title; RecordsError where there are none."""
        none = True
        for batch in tqdm(readable(self.stream, self.records), title, self.count, unit="picture", leave=False):
            none = False
            yield batch
        if none:
            flags = " and ".join(f"{opened.flag}={opened.path}" for opened in self.records)
            raise RecordsError(f"{flags}: none of the {self.count} pictures to validate on can be decoded")

    def pairs(self, title: str) -> Iterator[tuple[tf.Tensor, np.ndarray]]:
        """(picture [1, h, w, 3] in network range, mask [h, w] bool), with a progress bar of this title."""
        for batch in self.batches(title):
            yield batch.m if self.composites else batch.s, batch.k[0, ..., 0].numpy() > 0


def held_out(
    records: Mapping[str, Records],
    preparation: Preparation,
    settings: Validation,
    *,
    half_pixel: bool,
    recolouring: Recolouring | None = None,
) -> HeldOut | None:
    """What a run is validated on; None without such records.

    Args:
        records: the run's, by flag.
        preparation: of the training pictures.
        settings: how many.
        half_pixel: the networks'.
        recolouring: the training stream's.
    """
    sources = records.get("--validation_records")
    if sources is None:
        return None
    targets = records.get("--validation_targets")
    opened = [sources] if targets is None else [sources, targets]
    still = preparation.unmoved(seed=SEED)
    count = min(settings.validation_pictures, len(sources.pairs))
    how = {"half_pixel": half_pixel, "recolouring": recolouring}
    return HeldOut(held_out_stream(sources, targets, still, count, **how), count, opened)


def validation(probability: Callable[[tf.Tensor], tf.Tensor], pictures: HeldOut) -> Scores:
    """Scores on held-out pictures.

    Args:
        probability: of manipulation, [1, h, w, 3] in network range -> [1, h, w, 1]; traced once.
        pictures: these.

    Returns:
        A function without arguments -> {"f1": ..., ...}.
    """
    traced = tf.function(probability, autograph=False)

    def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for image, mask in pictures.pairs("validation"):
            yield traced(image)[0, ..., 0].numpy(), mask

    return lambda: metrics.summarise(pairs())
