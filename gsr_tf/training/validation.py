"""Scores of the present network on held-out pictures, while it trains."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Optional

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tqdm import tqdm

from gsr_tf.data.pipeline import training_stream
from gsr_tf.data.preparation import Preparation
from gsr_tf.data.records import Records
from gsr_tf.evaluation import metrics
from gsr_tf.models.segmenter import manipulation_probability
from gsr_tf.settings import check_bounds, setting

SEED = 20_000_000  # far from the runs' own: every run is validated on the same pictures and composites


@dataclasses.dataclass(frozen=True)
class Validation:
    """How a run is validated."""

    validation_pictures: int = setting(200, "At most so many validation pictures, the same ones each time.", least=1)

    def __post_init__(self):
        check_bounds(self)


def validation(
    segmenter: keras.Model,
    records: Mapping[str, Records],
    preparation: Preparation,
    settings: Validation,
    *,
    half_pixel: bool,
) -> Optional[Callable[[], dict[str, float]]]:
    """Scores on held-out pictures, or composites of them, at the network's resolution; None without such records.

    Args:
        segmenter: the run's.
        records: the run's, by flag.
        preparation: of the training pictures.
        settings: on how many.
        half_pixel: the networks'.

    Returns:
        A function without arguments -> {"validation/f1": ..., ...}.
    """
    sources = records.get("--validation_records")
    if sources is None:
        return None
    targets = records.get("--validation_targets")
    still = preparation.unmoved(seed=SEED)
    stream = training_stream(sources, targets or sources, still, batch_size=1, half_pixel=half_pixel)
    count = min(settings.validation_pictures, len(sources.pairs))
    stream = stream.take(count)
    probability = tf.function(lambda image: manipulation_probability(segmenter, image))

    def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for batch in tqdm(stream, "validation", count, unit="picture", leave=False):
            image = batch.m if targets else batch.s
            yield probability(image)[0, ..., 0].numpy(), batch.k[0, ..., 0].numpy() > 0

    return lambda: {f"validation/{name}": value for name, value in metrics.summarise(pairs()).items()}
