"""What a score map must be, whoever made it."""

from __future__ import annotations

import numpy as np

from gsr_tf.errors import UserError


class ScoreError(UserError):
    """A score map that cannot be scored: wrong shape or not finite; or a picture that a method cannot work on."""


def check_finite(scores: np.ndarray) -> None:
    """Raises ScoreError for a map, of any shape, that holds NaN or infinities: no threshold means anything there."""
    if np.isfinite(scores.min()) and np.isfinite(scores.max()):  # NaN is the lowest, too; no array of booleans
        return
    bad = scores.size - np.count_nonzero(np.isfinite(scores))
    raise ScoreError(f"score map has {bad} of {scores.size} values NaN or infinite")
