"""Mask files -> K, 1 where the picture was manipulated."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from data_prep.reading.entries import Objects, Refused
from gsr_tf.data.masks import MaskRule, read_mask


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
        mask = read_mask(self.path, self.rule)
        if mask.pixels.all() or not mask.pixels.any():
            reason = "mask is all one" if mask.pixels.any() else "mask is all zero"
            least, most = mask.levels
            raise Refused(reason, f"values {least}..{most} against threshold {self.rule.threshold}")
        notes = [f"mask: {note}" for note in mask.notes]
        return Objects(mask.pixels.shape, [mask.pixels.astype(np.uint8)], [], notes)
