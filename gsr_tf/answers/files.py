"""The files of one answer.

NAME_map.png       probability of manipulation, 16 bits: 0 is 0, 65535 is 1
NAME_mask.png      255 where the mask is, else 0
NAME_overlay.jpg   the picture in grey under the map's heat, the mask outlined
NAME.npz           `map` float32, `mask` bool, `score`; when asked for

Map, mask and npz have the raster of the picture's file, pixel by pixel, and the PNGs carry the file's EXIF
orientation: they lie over the picture in what honours that tag and in what ignores it. The overlay is upright, and
reduced where the picture has more than 16 megapixels.
"""

from __future__ import annotations

import dataclasses
import errno
import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from gsr_tf.answers.overlay import draw_overlay
from gsr_tf.data.decoding.orientation import to_stored
from gsr_tf.data.decoding.strips import strips
from gsr_tf.data.masks import at_size
from gsr_tf.data.pictures import encode_jpeg, encode_png
from gsr_tf.inference.regions import BAND_PIXELS
from gsr_tf.inference.segmentation import Segmentation

MAP, MASK, OVERLAY, ARRAYS = "_map.png", "_mask.png", "_overlay.jpg", ".npz"
# An overlay of a larger picture is smaller than it: a JPEG has no longer sides, and nobody looks at more pixels.
LONGEST_OVERLAY, OVERLAY_PIXELS = 65_500, 16_000_000
PREVIEW = 208  # pixels, the longer side of each half
PREVIEWS = ".previews"


def preview(output: Path, name: str) -> Path:
    """Where the contact sheet finds a picture's small JPEG."""
    return output / PREVIEWS / f"{name}.jpg"


def places(output: Path, name: str, *, npz: bool = True, previews: bool = True) -> list[Path]:
    """The files of an answer in a folder, every one that it may have unless told otherwise."""
    small = [preview(output, name)] if previews else []
    return [*(output / f"{name}{ending}" for ending in endings(npz=npz)), *small]


def remove(output: Path, name: str) -> None:
    """Removes what there is of an answer."""
    for path in places(output, name):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:  # then there is none
                raise


def endings(*, npz: bool) -> list[str]:
    """What follows NAME in the files of an answer; with the arrays or without."""
    return [MAP, MASK, OVERLAY, *([ARRAYS] if npz else [])]


def stored(found: Segmentation, orientation: int) -> Segmentation:
    """The answer for an upright picture, in the raster of its file."""
    boundary = None if found.boundary is None else to_stored(found.boundary, orientation)
    maps = {name: to_stored(getattr(found, name), orientation) for name in ("map", "mask")}
    return dataclasses.replace(found, boundary=boundary, **maps)


def draw(picture: np.ndarray, found: Segmentation) -> tuple[bytes, bytes]:
    """What there is to look at.

    Args:
        picture: [h, w, 3] uint8 RGB, upright.
        found: the answer for it.

    Returns:
        The overlay's file, and a small JPEG for the contact sheet, picture beside overlay.
    """
    picture, *answer = _drawable(picture, found.map, found.mask)
    overlay = encode_jpeg(draw_overlay(picture, *answer), quality=92)
    picture, *answer = _small(picture, *answer)
    return overlay, encode_jpeg(np.hstack([picture, draw_overlay(picture, *answer)]), quality=70)


def encode(found: Segmentation, orientation: int, *, npz: bool) -> dict[str, bytes]:
    """The contents of the other files.

    Args:
        found: the answer in the raster of the picture's file, as `stored` gives it.
        orientation: EXIF's, of that file.
        npz: also the arrays.

    Returns:
        The bytes of each file by what follows NAME.
    """
    files = {
        MAP: encode_png(_levels(found.map), orientation),
        MASK: encode_png(found.mask.view(np.uint8) * np.uint8(255), orientation),
    }
    if npz:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, map=found.map, mask=found.mask, score=np.float32(found.score))
        files[ARRAYS] = buffer.getvalue()
    return files


def _levels(probability: np.ndarray) -> np.ndarray:
    """[h, w] float32 in [0, 1] as uint16, 65535 for 1; in bands, so that there is no second copy in float32."""
    levels = np.empty(probability.shape, np.uint16)
    for rows in strips(*probability.shape, BAND_PIXELS):
        levels[rows] = np.rint(probability[rows] * np.float32(65535))
    return levels


def _drawable(picture: np.ndarray, probability: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, ...]:
    """Picture, map and mask as they are, or reduced to what an overlay may have."""
    height, width = mask.shape
    scale = min(LONGEST_OVERLAY / max(height, width), (OVERLAY_PIXELS / mask.size) ** 0.5)
    if scale >= 1:
        return picture, probability, mask
    size = [max(1, int(scale * length)) for length in (width, height)]
    small = [cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (picture, probability)]
    # Regions of a mask are at least as large as its dilation: none falls between the pixels that stay.
    return *small, at_size(mask, size)


def _small(picture: np.ndarray, probability: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, ...]:
    """The same as a preview shows it; what is outlined at this size has lines that are seen, and no region is lost."""
    small = Image.fromarray(picture)
    small.thumbnail((PREVIEW, PREVIEW), reducing_gap=2)
    flagged = mask.view(np.uint8) * np.uint8(255)
    levels = [cv2.resize(x, small.size, interpolation=cv2.INTER_AREA) for x in (probability, flagged)]
    return np.asarray(small), levels[0], levels[1] > 0
