"""What a score map must be, whoever made it."""

from __future__ import annotations

import numpy as np

from gsr_tf.errors import UserError

ROUNDING = 1e-4  # by which a probability may leave [0, 1]: sums of float32, in another order or of bfloat16


class ScoreError(UserError):
    """A score map that cannot be scored: wrong shape, not finite, no probabilities where such are expected.

    Or a picture that a method cannot work on.
    """


def check_finite(scores: np.ndarray) -> None:
    """Raises ScoreError for a map, of any shape, that holds NaN or infinities: no threshold means anything there."""
    if np.isfinite(scores.min()) and np.isfinite(scores.max()):  # NaN is the lowest, too; no array of booleans
        return
    bad = scores.size - np.count_nonzero(np.isfinite(scores))
    raise ScoreError(f"score map has {bad} of {scores.size} values NaN or infinite")


def check_probabilities(scores: np.ndarray) -> None:
    """Raises ScoreError for a map, of any shape, that is not finite or leaves [0, 1], as logits and levels do."""
    low, high = scores.min(), scores.max()
    if low >= -ROUNDING and high <= 1 + ROUNDING:  # false for NaN
        return
    check_finite(scores)
    raise ScoreError(f"score map reaches {high if high > 1 + ROUNDING else low:.7g}; expected probabilities in 0..1")
