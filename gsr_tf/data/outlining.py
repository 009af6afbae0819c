"""The outline of a mask on a picture, for people to look at."""

from __future__ import annotations

import cv2
import numpy as np


def draw_outline(picture: np.ndarray, mask: np.ndarray, *, line: int, shadow: int) -> None:
    """Draws the borders of a mask's regions and holes: a white line on a black one, seen on any picture and by anybody.

    Args:
        picture: [h, w, 3] uint8, which is drawn in.
        mask: [h, w] bool.
        line: width of the white line, pixels.
        shadow: width of the black one.
    """
    borders, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    for level, width in ((0, shadow), (255, line)):
        cv2.drawContours(picture, borders, -1, (level, level, level), width)
