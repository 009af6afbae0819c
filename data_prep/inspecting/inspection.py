"""What can be said of one picture and its masks."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from data_prep.inspecting.samples import Sample
from data_prep.reading.entries import Refused
from gsr_tf.data.decoding import jpeg_losses

HASH_BITS = 256


class Facts(NamedTuple):
    """What was found in one picture.

    Attributes:
        name: of the sample.
        reason: why it cannot be used; "" when it can.
        detail: of the reason.
        size: (width, height).
        shares: of the picture, that each mask covers, 0..1.
        inverted: how many of its masks look as if black and white were swapped.
        hash: perceptual, 32 bytes; b"" for a picture too plain to tell from others.
        lost: whether its last rows are plain grey, as where a JPEG's data were lost.
    """

    name: str
    reason: str = ""
    detail: str = ""
    size: tuple[int, int] = (0, 0)
    shares: tuple[float, ...] = ()
    inverted: int = 0
    hash: bytes = b""
    lost: bool = False


def looks_inverted(mask: np.ndarray) -> bool:
    """Whether a [h, w] mask of 0 and 1 covers most of the picture and most of its border.

    What people paste or copy seldom does; the rest of the picture nearly always does.
    """
    border = np.concatenate([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])
    return bool(mask.mean() > 0.5 and border.mean() > 0.5)


def perceptual_hash(pixels: np.ndarray) -> bytes:
    """The signs of brightness differences between 16x17 neighbours: alike for a picture scaled or compressed again.

    Args:
        pixels: [h, w, 3] uint8 RGB.
    """
    grey = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (17, 16), interpolation=cv2.INTER_AREA)
    bits = grey[:, 1:] > grey[:, :-1]
    plain = not HASH_BITS // 16 <= bits.sum() <= HASH_BITS - HASH_BITS // 16
    return b"" if plain else np.packbits(bits).tobytes()


def inspect(sample: Sample) -> Facts:
    """Looks at one sample; what is wrong with it is in the facts, never an exception.

    Raises:
        RecordsError: the whole set cannot be read any more.
    """
    try:
        pixels, masks = sample.load()
    except Refused as refusal:
        return Facts(sample.name, refusal.reason, refusal.detail)
    height, width = pixels.shape[:2]
    return Facts(
        sample.name,
        size=(width, height),
        shares=tuple(float(mask.mean()) for mask in masks),
        inverted=sum(map(looks_inverted, masks)),
        hash=perceptual_hash(pixels),
        lost=jpeg_losses.has_lost(pixels, height),
    )
