"""Photographs -> an endless stream of pairs of patches, and what each pair has in common.

As in every stream here, pair i is a function of the seed and of i alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gsr_tf.comparators.exif.attributes import ATTRIBUTES, in_common
from gsr_tf.comparators.exif.photographs import Photographs
from gsr_tf.comparators.exif.processing import draw, patch
from gsr_tf.comparators.exif.settings import Patches
from gsr_tf.data.randomness import TARGET_ORDER, visit
from gsr_tf.data.records import Records
from gsr_tf.data.stream import in_batches


class Pairs(NamedTuple):
    """What one training step sees.

    Attributes:
        one: [b, side, side, 3] uint8 RGB.
        other: the same.
        common: [b, 83] float32, 1 where the two have the attribute in common.
        known: [b, 83] float32, 1 where it is known whether they have.
        same: [b, 1] float32, 1 where they are of one photograph, processed alike.
    """

    one: tf.Tensor
    other: tf.Tensor
    common: tf.Tensor
    known: tf.Tensor
    same: tf.Tensor


def pair(photographs: Photographs, settings: Patches, place: int, number: int) -> tuple[np.ndarray, ...]:
    """The pair of this number, whose first photograph is in this place: the fields of `Pairs`, one of each.

    Half of the pairs are of one photograph, so that attributes are as often in common as not, nearly; the others are of
    two, whichever cannot be decoded or is twice in the set.
    """
    random = np.random.default_rng([settings.seed, number])
    alike = random.random() < 0.5
    one, codes, digest = photographs.read(place)
    other, other_codes = one, codes
    if not alike:
        another = (place + 1 + int(random.integers(len(photographs) - 1))) % len(photographs)
        other, other_codes, _ = photographs.read(another, but=digest)
    done = draw(random, settings.processing_share)
    patches = [patch(x, settings.input_size, how, random) for x, how in zip((one, other), done)]
    common, known = in_common(codes, other_codes)
    processed = np.array([a == b for a, b in zip(*done)], np.float32)
    same = np.float32(alike and processed.all())
    return (
        *map(np.ascontiguousarray, patches),
        np.concatenate([common, processed]),
        np.concatenate([known, np.ones_like(processed)]),
        same[np.newaxis],
    )


def pair_stream(
    records: Records,
    settings: Patches,
    *,
    batch_size: int,
    start: int = 0,
    share: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """Batches of pairs without end, from batch number `start`.

    Args:
        records: of authentic photographs.
        settings: how they become pairs.
        batch_size: pairs a batch.
        start: the first batch's number: the training steps already done.
        share: which worker this is; see `training_stream`.

    Returns:
        Dataset of `Pairs`, static shapes.

    Raises:
        RecordsError: fewer than two photographs that are large enough.
    """
    photographs = Photographs(records, minimum_side=settings.minimum_side, cache_gib=settings.cache_gib)
    patch_shape, count = [settings.input_size] * 2 + [3], [len(ATTRIBUTES)]
    kinds = [(tf.uint8, patch_shape)] * 2 + [(tf.float32, count)] * 2 + [(tf.float32, [1])]

    def example(number: tf.Tensor) -> Pairs:
        place = visit(number, len(photographs), settings.seed, TARGET_ORDER)
        found = tf.numpy_function(
            lambda *numbers: pair(photographs, settings, *map(int, numbers)),
            [place, number], [kind for kind, _ in kinds], stateful=False,
        )  # fmt: skip
        return Pairs(*(tf.ensure_shape(x, shape) for x, (_, shape) in zip(found, kinds)))

    return in_batches(example, batch_size, start, share).prefetch(tf.data.AUTOTUNE)
