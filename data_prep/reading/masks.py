"""Mask files -> K, 1 where the picture was manipulated."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from data_prep.reading.entries import Objects, Refused
from gsr_tf.data.pictures import decode_picture, read_bytes


class MaskRule(NamedTuple):
    """How a publisher's mask files are to be read.

    Attributes:
        threshold: manipulated is what is brighter than this, 0..254.
        inverted: manipulated is what is not brighter.
        channel: 0, 1 or 2 for red, green or blue; None: the mean of the three.
    """

    threshold: int = 127
    inverted: bool = False
    channel: int | None = None

    def apply(self, pixels: np.ndarray) -> np.ndarray:
        """[h, w, 3] uint8 -> [h, w] uint8, 1 = manipulated."""
        if self.channel is None:
            bright = pixels.sum(-1, dtype=np.uint16) > 3 * self.threshold
        else:
            bright = pixels[..., self.channel] > self.threshold
        return (bright != self.inverted).astype(np.uint8)


class MaskFile(NamedTuple):
    """A mask that is a picture file."""

    path: str
    rule: MaskRule = MaskRule()

    @property
    def files(self) -> tuple[str]:
        """The mask's file."""
        return (self.path,)

    def read(self) -> Objects:
        """One mask, of the file's size; raises Refused when it is all zero or all one."""
        pixels = decode_picture(read_bytes(self.path), self.path).pixels
        mask = self.rule.apply(pixels)
        if mask.all() or not mask.any():
            reason = "mask is all one" if mask.any() else "mask is all zero"
            raise Refused(reason, f"values {pixels.min()}..{pixels.max()} against threshold {self.rule.threshold}")
        return Objects(mask.shape, [mask], [])
