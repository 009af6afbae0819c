"""A picture with what was found on it."""

from __future__ import annotations

import cv2
import numpy as np

from gsr_tf.inference.regions import bands

OUTLINE = (255, 255, 255)


def draw_overlay(picture: np.ndarray, probability: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture in grey under a heat map, the mask outlined.

    Args:
        picture: [h, w, 3] uint8 RGB.
        probability: [h, w] float32 in [0, 1]: how strongly the heat map covers the picture.
        mask: [h, w] bool.

    Returns:
        [h, w, 3] uint8 RGB.
    """
    overlay = np.empty_like(picture)
    for rows in bands(picture.shape):
        overlay[rows] = _heated(picture[rows], probability[rows])
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    thickness = max(1, round(max(picture.shape[:2]) / 400))
    return cv2.drawContours(overlay, contours, -1, OUTLINE, thickness)


def _heated(picture: np.ndarray, probability: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    heat = cv2.applyColorMap(np.rint(255 * probability).astype(np.uint8), cv2.COLORMAP_INFERNO)
    cover = 0.75 * probability[..., np.newaxis]
    return np.rint((1 - cover) * grey + cover * cv2.cvtColor(heat, cv2.COLOR_BGR2RGB)).astype(np.uint8)
