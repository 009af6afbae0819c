"""Pictures with a map that is known (see conftest.red_and_green)."""

import io

import cv2
import numpy as np
from PIL import Image


def blotches(height=90, width=120, seed=0):
    """[h, w, 3] uint8: in red smooth blotches of all levels with noise, so that every threshold gives another mask."""
    random = np.random.default_rng(seed)
    smooth = cv2.GaussianBlur(random.random([height, width]).astype(np.float32), (0, 0), 3)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    speckled = np.where(random.random([height, width]) < 0.01, random.random([height, width]), smooth)
    others = random.integers(0, 256, [2, height, width])
    return np.stack([255 * speckled, *others], -1).astype(np.uint8)


def encoded(pixels, format="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()
