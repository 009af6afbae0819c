"""The one interface of every method: a picture in, a score map out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from gsr_tf.errors import UserError
from gsr_tf.inference.score_maps import ScoreError, check_finite, check_probabilities


class MethodError(UserError):
    """A method that does not exist, or that is asked for what it cannot do."""


@dataclasses.dataclass(frozen=True)
class Method:
    """A way to score pixels.

    Attributes:
        name: how tables call it.
        score: [h, w, 3] uint8 RGB -> [h, w] real, higher = manipulated. A method that `uses_truth` is called with
            the mask as well, [h, w] bool: floors and ceilings, no detectors. One that `uses_name` is called with the
            item's name as well: its maps were made before.
        probabilities: the map is a probability in [0, 1], so that a threshold of 0.5 means something. Other maps
            get a grid of quantiles, and no score at a fixed threshold.
        minimum_side: smallest height and width, in pixels, that the method can work on.
        fingerprint: of what the scores depend on besides the picture (a model's weights); empty for none.
        uses_truth, uses_name: see `score`.
        centre: what a model's network itself calls the .5 of its maps, see `DetectorModule`.
    """

    name: str
    score: Callable[..., np.ndarray]
    probabilities: bool
    minimum_side: int = 1
    fingerprint: str = ""
    uses_truth: bool = False
    uses_name: bool = False
    centre: float = 0.5

    def __call__(self, picture: np.ndarray, mask: np.ndarray | None = None, name: str = "") -> np.ndarray:
        """Scores of a picture.

        Args:
            picture: [h, w, 3] uint8 RGB.
            mask: [h, w] bool, for methods that use the truth.
            name: the item's, for methods that use it.

        Returns:
            [h, w] float32, or float64 where the method's own numbers need it.

        Raises:
            ScoreError: the picture is smaller than the method can work on; or what the method gave is no map of real
                numbers, or none of `probabilities`.
        """
        height, width = picture.shape[:2]
        if min(height, width) < self.minimum_side:
            raise ScoreError(f"{width}x{height} pixels; {self.name} needs at least {self.minimum_side} on each side")
        known = [mask] * self.uses_truth + [name] * self.uses_name
        scores = np.asarray(self.score(picture, *known))
        if scores.ndim != 2 or scores.dtype.kind not in "biuf":
            raise ScoreError(f"{self.name} gave {list(scores.shape)} of {scores.dtype}; expected [h, w], real numbers")
        if self.probabilities:
            check_probabilities(scores)
        # OpenCV, which resizes maps, has neither float16, booleans nor integers of 64 bits.
        return scores.astype(np.float32 if np.can_cast(scores.dtype, np.float32) else np.float64, copy=False)

    def stretched(self, picture: np.ndarray) -> np.ndarray:
        """[h, w] float32 in [0, 1], to be looked at: probabilities as they are, other maps from lowest to highest.

        Raises:
            ScoreError: as `__call__`, or the scores are not finite.
        """
        scores = self(picture)
        check_finite(scores)
        return (scores if self.probabilities else from_lowest_to_highest(scores)).astype(np.float32)


def from_lowest_to_highest(scores: np.ndarray) -> np.ndarray:
    """A map [h, w] stretched to 0..1; one of a single level becomes 0."""
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if high > low else np.zeros_like(scores)
