"""What any detector must beat, and what boxes could reach at best: they see the truth or nothing at all."""

from __future__ import annotations

import zlib

import cv2
import numpy as np


def all_positive(picture: np.ndarray) -> np.ndarray:
    """[h, w] of ones: every pixel of the picture, [h, w, 3], is marked."""
    return np.ones(picture.shape[:2], np.float32)


def random(picture: np.ndarray) -> np.ndarray:
    """[h, w] uniform noise in [0, 1), seeded by the picture's pixels: the same in every run."""
    return np.random.default_rng(zlib.crc32(picture.tobytes())).random(picture.shape[:2], np.float32)


def ground_truth_box(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """[h, w] float32: 1 in the smallest upright box about the mask, [h, w] bool; the best that one box can do."""
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    box = np.zeros(mask.shape, np.float32)
    box[top : top + height, left : left + width] = 1
    return box
