"""Memory of our own for a picture's pixels: Pillow decodes into it, and it can be worked on in place.

Pillow's own memory is copied twice where it becomes an array, and given back as a whole only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

DEEP = {"I;16": "<u2", "I;16L": "<u2", "I;16B": ">u2", "I": "=i4", "F": "=f4"}  # how NumPy calls Pillow's modes
FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "BMP")  # whose readers decode into the memory that is there


def pixel_bytes(mode: str) -> int:
    """How many bytes Pillow takes for a pixel of a mode; four for one of three channels."""
    return 1 if mode in ("1", "L", "P") else 2 if mode.startswith("I;16") else 4


class Room(NamedTuple):
    """Memory, [bytes] uint8, and what Pillow calls it; its size must not change while the picture is looked at."""

    memory: np.ndarray
    core: Image.core.ImagingCore


def make(picture: Image.Image, width: int, height: int) -> Room | None:
    """Room for an opened picture of this size as stored, zero, which `picture.load` fills.

    None where the format's reader would not, and where a pixel is a byte: then there is nothing to gain, and Pillow
    makes the room. It is made here, for Pillow holds that of a TIFF against its own limit.
    """
    if picture.format not in FORMATS:
        return None
    if pixel_bytes(picture.mode) == 1:
        picture.im = Image.new(picture.mode, (width, height), None).im
        return None
    row = width * pixel_bytes(picture.mode)
    memory = np.zeros(height * row, np.uint8)
    picture.im = Image.core.map_buffer(memory, (width, height), "raw", 0, (picture.mode, row, 1))
    return Room(memory, picture.im)


def filled(picture: Image.Image, room: Room | None) -> np.ndarray | None:
    """The memory of a loaded picture's pixels; None where Pillow has put them elsewhere: a turned TIFF's, say."""
    return room.memory if room is not None and picture.im is room.core else None


def values(picture: Image.Image, memory: np.ndarray | None) -> np.ndarray:
    """[h, w] of a loaded picture of deep greys: over its own memory, or a copy where that is None."""
    if memory is None:
        return np.asarray(picture)
    return memory.view(DEEP[picture.mode]).reshape(picture.height, picture.width)
