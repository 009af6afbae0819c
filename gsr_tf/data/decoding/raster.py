"""A loaded picture to the array that all else looks at, strip by strip, so that there is hardly more than one of it.

The strips are written over what has been read, and memory that is done with is given back at once: 64 megapixels take
the 256 MB that Pillow decodes them to, and 288 MB where they are turned.
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from gsr_tf.data.decoding.orientation import OPPOSITE, stored_view, to_stored
from gsr_tf.data.decoding.still_webp import StillWebP
from gsr_tf.data.decoding.strips import STRIP, strips


def upright(picture: Image.Image, room: np.ndarray | None, orientation: int) -> np.ndarray:
    """[h, w, 3] uint8 RGB.

    Args:
        picture: loaded, with 8 bits a channel; it and its room are used up.
        room: the memory of its pixels, where that is our own; see `gsr_tf.data.decoding.room`.
        orientation: EXIF's, which is applied; 1: the pixels as they are stored.
    """
    if isinstance(picture, StillWebP):  # in OpenCV's memory, of which no half can be given back
        return to_stored(picture.decoded(), OPPOSITE[orientation])
    width, height = picture.size
    flat = _to_rgb(picture, room)
    return flat.reshape(height, width, 3) if orientation == 1 else _turned(flat, height, width, orientation)


def _to_rgb(picture: Image.Image, room: np.ndarray | None) -> np.ndarray:
    """[h * w * 3] uint8 that owns its memory."""
    width, height = picture.size
    size = height * width * 3
    in_place = room is not None and room.size > size
    flat = room if in_place else np.empty(size, np.uint8)
    strip = 4 * STRIP if picture.mode == "LAB" else STRIP  # for each Pillow prepares the conversion, 0.1 s
    for rows in strips(height, width, strip):
        # In place no strip is written where one is still to be read: it takes three bytes a pixel, and had four.
        flat[rows.start * width * 3 : rows.stop * width * 3] = _strip(picture, room, rows).reshape(-1)
    if in_place:
        picture.close()  # its memory gets shorter
        flat.resize(size, refcheck=False)
    return flat


def _strip(picture: Image.Image, room: np.ndarray | None, rows: slice) -> np.ndarray:
    """[rows, w, 3] uint8 RGB, a copy."""
    width = picture.width
    if room is not None and picture.mode in ("RGB", "RGBA", "RGBX"):
        stored = room[rows.start * width * 4 : rows.stop * width * 4].reshape(-1, width, 4)
        return cv2.cvtColor(stored, cv2.COLOR_RGBA2RGB)
    # `picture.crop` holds the strip against Pillow's own limit of pixels, which may be low.
    strip = picture._new(picture.im.crop((0, rows.start, width, rows.stop)))
    return np.asarray(strip.convert("RGB"))


def _turned(flat: np.ndarray, height: int, width: int, orientation: int) -> np.ndarray:
    """As viewers show it; of a quarter turn first the right half of its columns, else the lower half of its rows.

    So it is there one and a half times at most: a half becomes adjoining rows of what is returned, and pages of memory
    that are not yet written are not there.
    """
    quarter = orientation >= 5
    pixels = flat.reshape(height, width, 3)
    turned = np.empty((width, height, 3) if quarter else (height, width, 3), np.uint8)
    layout = stored_view(turned, orientation)
    rows, columns = (height, width // 2) if quarter else (height // 2, width)
    second = np.s_[:, columns:] if quarter else np.s_[rows:]
    _copy(pixels[second], layout[second])
    _copy(pixels[:rows, :columns], flat[: rows * columns * 3].reshape(rows, columns, 3))  # together, at the front
    del pixels
    flat.resize(rows * columns * 3, refcheck=False)
    _copy(flat.reshape(rows, columns, 3), layout[:rows, :columns])
    return turned


def _copy(source: np.ndarray, target: np.ndarray) -> None:
    for rows in strips(*source.shape[:2]):  # whole, NumPy would copy twice where both share memory
        target[rows] = source[rows]
