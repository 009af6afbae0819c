"""A picture with what was found on it."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from gsr_tf.data.decoding.strips import strips
from gsr_tf.data.outlining import draw_outline

STRONGEST = 0.75  # of the colour, where the probability is 1


def draw_overlay(picture: np.ndarray, probability: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture in grey under a heat map, the mask outlined.

    Args:
        picture: [h, w, 3] uint8 RGB.
        probability: [h, w] float32 in [0, 1]: how strongly the heat map covers the picture.
        mask: [h, w] bool.

    Returns:
        [h, w, 3] uint8 RGB.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    level = cv2.convertScaleAbs(probability, alpha=255)
    overlay = np.empty_like(picture)
    for rows in strips(*picture.shape[:2], 1_000_000):  # the indices take 16 bytes a pixel: not all at once
        overlay[rows] = _blends()[level[rows], grey[rows]]
    thickness = max(1, round(max(picture.shape[:2]) / 400))
    draw_outline(overlay, mask, line=thickness, shadow=3 * thickness)
    return overlay


@functools.lru_cache(None)
def _blends() -> np.ndarray:
    """[256 probabilities, 256 greys, 3] uint8 RGB: the heat's colour over the grey, the stronger the more probable."""
    levels = np.arange(256, dtype=np.uint8)[:, np.newaxis]  # a column: of one dimension OpenCV 5 makes a row
    heat = cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1]
    grey = np.arange(256)[np.newaxis, :, np.newaxis]
    cover = STRONGEST * np.linspace(0, 1, 256)[:, np.newaxis, np.newaxis]
    return np.rint((1 - cover) * grey + cover * heat).astype(np.uint8)
