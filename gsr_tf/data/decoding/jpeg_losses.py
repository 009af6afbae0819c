"""Pixels that a JPEG has lost: libjpeg fills what is missing with grey, in silence."""

from __future__ import annotations

import re

import numpy as np

from gsr_tf.data.decoding.jpeg_markers import PROGRESSIVE, frame_kind

NO_DATA = (127, 128)  # levels of a block for which there were no data: of inks, which are inverted, and of others
LEAST = 16  # rows: fewer that are grey are chance
BLOCK = 256  # rows looked at together: one by one 30,000 short ones took 10 s
SCANS = 6  # of a progressive greyscale JPEG, the fewest that programs write


def grey_rows(pixels: np.ndarray) -> int:
    """How many rows at the foot of [h, w] or [h, w, 3] uint8 pixels are the grey that stands for lost data."""
    for rows in range(0, len(pixels), BLOCK):  # from the foot upwards
        block = pixels[::-1][rows : rows + BLOCK]
        grey = (block - np.uint8(min(NO_DATA)) < len(NO_DATA)).reshape(len(block), -1).all(axis=1)  # less wraps around
        if not grey.all():
            return rows + int(grey.argmin())
    return len(pixels)


def has_lost(pixels: np.ndarray, height: int) -> bool:
    """Whether the foot of a JPEG's pixels, perhaps reduced from `height` rows, is grey, and not all of them."""
    rows = grey_rows(pixels)
    return rows * height >= LEAST * len(pixels) and rows < len(pixels)


def is_cut(data: bytes, pixels: np.ndarray) -> bool:
    """Whether a JPEG that lacks its end lacks pixels, too: its last block has none.

    Args:
        data: the file's.
        pixels: [h, w] or [h, w, 3] uint8, decoded from `jpeg_markers.with_end(data)`, perhaps reduced.
    """
    if frame_kind(data) == PROGRESSIVE:  # every scan covers the whole picture: what is lost shows nowhere
        return len(re.findall(rb"\xff\xda", data)) < SCANS
    return bool(np.isin(pixels[-1, -1], NO_DATA).all())
