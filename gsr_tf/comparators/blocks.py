"""From one value a block to one value a pixel."""

from __future__ import annotations

import numpy as np


def to_pixels(blocks: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """[h, w], a [rows, columns] map of blocks stretched to `shape`, each pixel taking the nearest block."""
    rows, columns = (
        np.minimum(((np.arange(side) + 0.5) * count / side).astype(int), count - 1)
        for side, count in zip(shape, blocks.shape)
    )
    return blocks[np.ix_(rows, columns)]
