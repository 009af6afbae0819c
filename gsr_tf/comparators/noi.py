"""NOI: local noise level from wavelets (Mahdian & Saic 2009), as the MKLab toolbox's NOI1 computes it.

The finest diagonal wavelet band of a photograph is mostly noise; its median absolute value in small blocks, divided by
0.6745, is a robust standard deviation. Where something was pasted the level changes. The map is the level itself:
high = noisy, which need not be the pasted part.
"""

from __future__ import annotations

import numpy as np

from gsr_tf.comparators.blocks import to_pixels
from gsr_tf.comparators.method import from_lowest_to_highest

BLOCK = 8  # of wavelet coefficients
PIXELS = 2 * BLOCK  # a side of a block
GAUSSIAN_MEDIAN = 0.6745  # median of |x| for a standard normal x
MINIMUM_SIDE = 16  # a smaller picture has less than one block of its own


def luma(picture: np.ndarray) -> np.ndarray:
    """[h, w] float64, 16..235: ITU-R BT.601 studio range, rounded to 8 bits as MATLAB's rgb2ycbcr does.

    Args:
        picture: [h, w, 3] uint8 RGB.
    """
    return np.rint(16 + picture @ np.array([65.481, 128.553, 24.966]) / 255)


def noise_map(picture: np.ndarray) -> np.ndarray:
    """[ceil(h / 16), ceil(w / 16)] float64: the noise level of each block of 16x16 pixels, the last ones incomplete.

    Args:
        picture: [h, w, 3] uint8 RGB.
    """
    import pywt  # where it is used: who predicts with a model does without

    _, (_, _, diagonal) = pywt.dwt2(luma(picture), "db8", mode="symmetric")
    rows, columns = (side // BLOCK for side in diagonal.shape)
    blocks = np.abs(diagonal[: rows * BLOCK, : columns * BLOCK]).reshape(rows, BLOCK, columns, BLOCK)
    return np.median(blocks, axis=(1, 3)) / GAUSSIAN_MEDIAN


def score(picture: np.ndarray) -> np.ndarray:
    """[h, w] float64: the noise level of each pixel's block, not normalised.

    Block b lies on pixels 16b to 16b + 15, whatever the picture's size.

    Args:
        picture: [h, w, 3] uint8 RGB, as published: resizing it first would average the noise away.
    """
    return to_pixels(noise_map(picture), PIXELS, picture.shape[:2])


def normalised(picture: np.ndarray) -> np.ndarray:
    """`score` stretched to 0..1 in each picture; a map of one level becomes 0."""
    return from_lowest_to_highest(score(picture))
