"""Whether an exported model does what the network does: asked on pictures before anyone relies on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from gsr_tf.errors import UserError

Maps = Callable[[np.ndarray], Mapping[str, np.ndarray]]


class ExportError(UserError):
    """A model that could not be exported, or that does not do what the network does."""


def largest_difference(one: Maps, other: Maps, pictures: Iterable[np.ndarray]) -> float:
    """The largest difference of two detectors' probabilities; NaN where one of them has any.

    Args:
        one: [h, w, 3] uint8 -> {"probability": [h, w, 1], ...}.
        other: the same.
        pictures: [h, w, 3] uint8.
    """
    worst = [
        np.max(np.abs(np.asarray(one(picture)["probability"]) - np.asarray(other(picture)["probability"])))
        for picture in pictures
    ]
    return float(np.max(worst))  # Python's max passes over NaN


def require_agreement(network: Maps, exported: Maps, pictures: Iterable[np.ndarray], tolerance: float) -> float:
    """`largest_difference` on pictures and the trial pictures; raises ExportError above the tolerance, and for NaN."""
    difference = largest_difference(network, exported, [*trial_pictures(), *pictures])
    if not difference <= tolerance:
        raise ExportError(
            f"the exported model differs from the network by {difference:.2g}; at most {tolerance:g} is right"
        )
    return difference


def trial_pictures() -> list[np.ndarray]:
    """Pictures that a detector must take: landscape, portrait, tiny; smooth colours with noise, [h, w, 3] uint8."""
    random = np.random.default_rng(0)
    pictures = []
    for height, width in ((240, 320), (333, 211), (1, 1)):
        slope = np.linspace(0, 200, width)[np.newaxis, :, np.newaxis] + np.zeros([height, 1, 3])
        pictures.append((slope + random.integers(0, 56, [height, width, 3])).astype(np.uint8))
    return pictures
