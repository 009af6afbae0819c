"""From one value a block to one value a pixel."""

from __future__ import annotations

import numpy as np


def to_pixels(blocks: np.ndarray, side: int, shape: tuple[int, int]) -> np.ndarray:
    """[h, w], each pixel with the value of the block that it lies in; blocks keep their place, whatever the size.

    Args:
        blocks: [rows, columns]; the first one begins at the upper left pixel.
        side: of a block, pixels.
        shape: h and w. Pixels beyond the last block take that one's value; of a block that leaves the picture a part
            is seen.
    """
    rows, columns = (np.minimum(np.arange(length) // side, count - 1) for length, count in zip(shape, blocks.shape))
    return blocks[np.ix_(rows, columns)]
