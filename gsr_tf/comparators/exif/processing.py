"""What is done to a patch after it was taken: resized, blurred, compressed again. The ranges are the release's."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

RATIOS = np.linspace(0.5, 1.5, 11)
INTERPOLATIONS = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)
QUALITIES = range(50, 101, 5)
KERNELS = range(3, 16, 2)
SIGMAS = range(1, 6)


class Processing(NamedTuple):
    """What is done to a patch; None: not this.

    Attributes:
        quality: of a JPEG, 50..100.
        blur: side of the Gaussian window, pixels, and sigma.
        resize: ratios of height and width, and how OpenCV interpolates.
    """

    quality: int | None = None
    blur: tuple[int, int] | None = None
    resize: tuple[float, float, int] | None = None


def draw(random: np.random.Generator, share: float) -> tuple[Processing, Processing]:
    """What is done to the two patches of a pair.

    Each of the three is done with probability `share`; half of the time then with one choice for both patches, else
    with two different ones, one of which may be not to do it.

    Args:
        random: numbers from there.
        share: in [0, 1].
    """
    choices = {
        "quality": lambda: int(random.choice(QUALITIES)),
        "blur": lambda: (int(random.choice(KERNELS)), int(random.choice(SIGMAS))),
        "resize": lambda: (*map(float, random.choice(RATIOS, 2)), int(random.choice(INTERPOLATIONS))),
    }
    both: tuple[dict, dict] = ({}, {})
    for name, choose in choices.items():
        if random.random() < share:
            one = other = choose()
            if random.random() < 0.5:
                while other == one:
                    other = choose() if random.random() < 0.5 else None
            first = int(random.integers(2))
            both[first][name], both[1 - first][name] = one, other
    return Processing(**both[0]), Processing(**both[1])


def patch(photograph: np.ndarray, side: int, done: Processing, random: np.random.Generator) -> np.ndarray:
    """A patch of a photograph, [side, side, 3] uint8, from anywhere in it, processed.

    It is cut out of a window that is larger by up to seven pixels each way, so that JPEG's blocks begin anywhere in
    it, as they do in a patch of a picture. A photograph too small to be reduced by so much is reduced by less.

    Args:
        photograph: [h, w, 3] uint8 RGB, each side larger than `side`.
        side: of the patch, pixels.
        done: to it.
        random: numbers from there.
    """
    seen = [min(side + 7, length) for length in photograph.shape[:2]]
    ratios = done.resize[:2] if done.resize else (1.0, 1.0)
    window = [min(round(length / ratio), most) for length, ratio, most in zip(seen, ratios, photograph.shape)]
    found = _cut(photograph, window, random)
    if done.resize:
        found = cv2.resize(found, seen[::-1], interpolation=done.resize[2])
    if done.blur:
        kernel, sigma = done.blur
        found = cv2.GaussianBlur(found, (kernel, kernel), sigma)
    if done.quality is not None:
        found = recompressed(found, done.quality)
    return _cut(found, [side, side], random)


def recompressed(picture: np.ndarray, quality: int) -> np.ndarray:
    """[h, w, 3] uint8 RGB, as a JPEG of this quality shows it."""
    _, encoded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1]


def _cut(picture: np.ndarray, size: list[int], random: np.random.Generator) -> np.ndarray:
    top, left = (int(random.integers(most - length + 1)) for most, length in zip(picture.shape, size))
    return picture[top : top + size[0], left : left + size[1]]
