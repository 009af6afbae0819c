"""One picture with its masks to look at, from files or from records."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from data_prep.reading.entries import Entry, Refused
from data_prep.reading.stored import open_once
from data_prep.writing.examples import open_entry
from gsr_tf.data.pictures import PictureError


class Sample(NamedTuple):
    """One picture to look at.

    Attributes:
        name: in its set.
        source: where its pixels come from: an entry of a listing, or (records folder, number).
    """

    name: str
    source: Entry | tuple[str, int]

    def load(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """Its pixels, [h, w, 3] uint8 RGB, and its masks, [h, w] uint8 of 0 and 1.

        Raises:
            Refused: it cannot be used.
            RecordsError: its shard cannot be read any more.
        """
        if isinstance(self.source, Entry):
            return open_entry(self.source)
        folder, number = self.source
        try:
            stored = open_once(folder).example(number)
            pixels = stored.read_picture()
            masks = [stored.read_mask(mask).astype(np.uint8) for mask in range(len(stored.masks))]
        except PictureError as error:
            raise Refused("record cannot be read", str(error)) from error
        if any(mask.shape != pixels.shape[:2] for mask in masks):
            raise Refused("sizes differ", f"picture {pixels.shape[:2]}, mask {masks[0].shape} (height, width)")
        return pixels, masks
