"""How visible a pasted region's border is: the number beside Figure 4's pictures."""

from __future__ import annotations

import numpy as np


def seam(picture: np.ndarray, mask: np.ndarray) -> float:
    """The mean step across the border of a region (ours; the paper shows the seam fade, and measures nothing).

    Over all pairs of neighbours, above one another or side by side, of which one lies inside. T tells how large it is
    where nothing was pasted, M (Eq. 1) where nothing was blended.

    Args:
        picture: [h, w, 3] uint8.
        mask: [h, w] bool, K.

    Returns:
        Grey levels, averaged over the channels; NaN where the region has no border inside the picture.
    """
    values = picture.astype(np.float32)
    across = np.concatenate([np.abs(np.diff(values, axis=axis)).mean(-1)[np.diff(mask, axis=axis)] for axis in (0, 1)])
    return float(across.mean()) if across.size else float("nan")
