"""Pictures to measure on, made here: they compress about as photographs do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np


def photograph(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """[height, width, 3] uint8: smooth colours with a camera's noise."""
    colours = random.integers(0, 200, (12, 16, 3), np.uint8)
    smooth = cv2.resize(colours, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.add(smooth, random.integers(0, 16, smooth.shape, np.uint8))


def write_photographs(folder: Path, sizes: Iterable[tuple[int, int]], quality: int = 92) -> None:
    """Makes a folder of 0.jpg, 1.jpg, ...: a photograph of each height and width."""
    random = np.random.default_rng(0)
    folder.mkdir()
    for number, size in enumerate(sizes):
        cv2.imwrite(str(folder / f"{number}.jpg"), photograph(random, *size), [cv2.IMWRITE_JPEG_QUALITY, quality])
