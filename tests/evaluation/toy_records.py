"""Pictures whose manipulated square is brighter, so that brightness is a fair detector; as items, and as records."""

from __future__ import annotations

import numpy as np

from gsr_tf.comparators.method import Method
from gsr_tf.evaluation.items import Item
from tests.tiny import Example, write_records

SHAPE = (48, 64)
BRIGHTNESS = Method("brightness", lambda picture: picture.mean(axis=2) / 255, probabilities=True)


def sample(seed):
    """(picture, mask) of a seed."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(SHAPE, bool)
    top, left = rng.integers(4, 20, 2)
    mask[top : top + 20, left : left + 24] = True
    picture = rng.integers(0, 140, (*SHAPE, 3)) + 60 * mask[..., None]
    return picture.astype(np.uint8), mask


def items(count, name="picture"):
    """The first so many, "picture 0", "picture 1", ..."""
    return [Item(f"{name} {seed}", lambda seed=seed: sample(seed)) for seed in range(count)]


def write(folder, masks_of_each=(1, 2, 0)):
    """Writes one record a number of masks; the second mask of a picture is the first one turned round."""
    pictures = [(sample(seed), masks) for seed, masks in enumerate(masks_of_each)]
    return write_records(
        folder, [Example(picture, (mask, mask[::-1, ::-1])[:masks]) for (picture, mask), masks in pictures]
    ).path
