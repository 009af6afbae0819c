"""What is said of one picture: its maps, and what follows from them at a threshold."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from gsr_tf.data.decoding.strips import strips
from gsr_tf.inference import postprocessing
from gsr_tf.inference.regions import AREA, BAND_PIXELS, statistics

SCORE_SHARE = 0.01  # of the pixels: the image score is the mean of the most suspicious ones


class Box(NamedTuple):
    """A rectangle of pixels, of one connected region of a mask."""

    left: int
    top: int
    width: int
    height: int


@dataclasses.dataclass(frozen=True)
class Segmentation:
    """The answer for one picture of h x w pixels.

    Attributes:
        map: [h, w] float32 in [0, 1], each pixel's probability of being manipulated.
        boundary: [h, w] float32 in [0, 1], of lying on the edge of a manipulated region; None of a network without
            the boundary branch.
        threshold: in [0, 1]; what lies strictly above it is flagged.
        mask: [h, w] bool, the flagged pixels, after the paper's clean-up (`postprocessing.paper_mask`).
        warnings: what the file has and the network did not see, in words (`pictures.Raster.notes`); empty as a rule,
            and of an array.
    """

    map: np.ndarray
    boundary: np.ndarray | None
    threshold: float
    mask: np.ndarray
    warnings: tuple[str, ...] = ()

    @property
    def score(self) -> float:
        """The picture's own score in [0, 1]: the mean of the highest hundredth of its map.

        The paper scores pixels only. The maximum would hang on one pixel, the mean on the size of the region.
        """
        count, highest = max(1, round(SCORE_SHARE * self.map.size)), np.empty(0, np.float32)
        for rows in strips(*self.map.shape, BAND_PIXELS):  # a partition copies what it is given
            values = np.concatenate([highest, self.map[rows].ravel()])
            highest = np.partition(values, -min(count, values.size))[-count:]
        return float(highest.mean(dtype=np.float64))

    @property
    def flagged(self) -> float:
        """The share of flagged pixels, in [0, 1]."""
        return float(self.mask.mean())

    @property
    def boxes(self) -> list[Box]:
        """The bounding boxes of the mask's 8-connected regions, largest region first."""
        regions = statistics(self.mask)
        order = np.argsort(-regions[:, AREA], kind="stable")
        return [Box(*map(int, regions[i, :AREA])) for i in order]


def segmentation(
    probability: np.ndarray,
    boundary: np.ndarray | None = None,
    *,
    threshold: float = 0.5,
    warnings: tuple[str, ...] = (),
) -> Segmentation:
    """The Segmentation that follows from a map; arguments as its attributes."""
    mask = postprocessing.paper_mask(probability > threshold)
    return Segmentation(probability, boundary, threshold, mask, warnings)
