"""What is done to a score map after the method and before it is scored."""

from __future__ import annotations

import cv2
import numpy as np

from gsr_tf.inference.regions import without_small

# The paper gives no numbers: 5 is its code's boundary kernel, 64 pixels are an 8x8 block.
DILATION = 5
SMALLEST_OBJECT = 64
LEVELS = 256


def paper(scores: np.ndarray) -> np.ndarray:
    """The paper's clean-up (4.1): "simply dilate and threshold connected components to remove small noisy particles".

    Dilation and the removal of components by their area both commute with thresholding: the masks of rising thresholds
    lie within one another, and their sum is a map that has them all. It has 256 levels: no threshold of
    `PROBABILITY_GRID` can tell the difference.

    Args:
        scores: [h, w] probabilities; of other maps nothing would be left but what lies between 0 and 1.

    Returns:
        [h, w] float64: at every threshold k / 256 the mask, dilated by 5x5, without components (8-connected) of
        fewer than 64 pixels.
    """
    levels = np.zeros(scores.shape, np.uint16)
    for level in range(LEVELS):
        levels += paper_mask(scores > level / LEVELS)
    return levels / LEVELS


def paper_mask(mask: np.ndarray) -> np.ndarray:
    """The same clean-up of one mask: equal to `paper(scores) > k / 256` for the mask `scores > k / 256`.

    Args:
        mask: [h, w] bool; changed, since masks of large pictures are large.

    Returns:
        [h, w] bool; the same memory where that is contiguous.
    """
    levels = np.ascontiguousarray(mask).view(np.uint8)
    return without_small(cv2.dilate(levels, np.ones((DILATION, DILATION), np.uint8), dst=levels), SMALLEST_OBJECT)


def release_closing(scores: np.ndarray) -> np.ndarray:
    """Its first step, a closing by 15x15: of the map itself, since a closing commutes with thresholding."""
    return _close(scores, 15)


def release_mask(closed: np.ndarray) -> np.ndarray:
    """The rest of the release's clean-up, of one thresholded map.

    The three largest components stay, the background being counted as one; then a 3x3 erosion (outside the picture
    counts as authentic) and a closing by 15x15 of two iterations, which is one by 29x29.

    Args:
        closed: [h, w] uint8, 0 or 1, already closed by 15x15.

    Returns:
        [h, w] uint8, 0 or 1.
    """
    components, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    if components > 3:
        largest = np.argsort(stats[:, cv2.CC_STAT_AREA], kind="stable")[-3:]
        closed = np.zeros_like(closed)
        for label in largest[largest > 0]:
            closed |= cv2.compare(labels, int(label), cv2.CMP_EQ) & 1
    eroded = cv2.erode(closed, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return _close(eroded, 29)


def _close(picture: np.ndarray, side: int) -> np.ndarray:
    kernel = np.ones((side, side), np.uint8)
    return cv2.erode(cv2.dilate(picture, kernel), kernel)  # twice as fast as cv2.morphologyEx


POSTPROCESSING = {"none": lambda scores: scores, "paper": paper}
