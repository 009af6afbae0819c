"""The files of one answer.

NAME_map.png       probability of manipulation, 16 bits: 0 is 0, 65535 is 1
NAME_mask.png      255 where the mask is, else 0
NAME_overlay.jpg   the picture in grey under the map's heat, the mask outlined
NAME.npz           `map` float32, `mask` bool, `score`; when asked for

Map, mask and npz have the raster of the picture's file, pixel by pixel, and the PNGs carry the file's EXIF
orientation: they lie over the picture in what honours that tag and in what ignores it. The overlay is upright.
"""

from __future__ import annotations

import dataclasses
import io

import numpy as np
from PIL import Image

from gsr_tf.data.orientation import to_stored
from gsr_tf.data.pictures import Raster, encode_png
from gsr_tf.inference.overlay import draw_overlay
from gsr_tf.inference.segmentation import Segmentation

MAP, MASK, OVERLAY, ARRAYS = "_map.png", "_mask.png", "_overlay.jpg", ".npz"
LONGEST_JPEG = 65_500  # pixels; an overlay of a longer picture is smaller than it
PREVIEW = 208  # pixels, the longer side of each half


def stored(found: Segmentation, orientation: int) -> Segmentation:
    """The answer for an upright picture, in the raster of its file."""
    boundary = None if found.boundary is None else to_stored(found.boundary, orientation)
    maps = {name: to_stored(getattr(found, name), orientation) for name in ("map", "mask")}
    return dataclasses.replace(found, boundary=boundary, **maps)


def encode(raster: Raster, upright: Segmentation, found: Segmentation, *, npz: bool) -> tuple[dict[str, bytes], bytes]:
    """The contents of an answer's files.

    Args:
        raster: the picture, as `decode_picture` gives it.
        upright: the answer for its pixels.
        found: the same in the raster of the file, as `stored` gives it.
        npz: also the arrays.

    Returns:
        The bytes of each file by what follows NAME, and a small JPEG for the contact sheet, picture beside overlay.
    """
    levels = np.multiply(found.map, 65535, dtype=np.float32)
    overlay = draw_overlay(raster.pixels, upright.map, upright.mask)
    files = {
        MAP: encode_png(np.rint(levels, out=levels).astype(np.uint16), raster.orientation),
        MASK: encode_png(found.mask.astype(np.uint8) * 255, raster.orientation),
        OVERLAY: _jpeg(_within(overlay, LONGEST_JPEG), quality=92),
    }
    if npz:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, map=found.map, mask=found.mask, score=np.float32(found.score))
        files[ARRAYS] = buffer.getvalue()
    halves = [np.asarray(_within(pixels, PREVIEW)) for pixels in (raster.pixels, overlay)]
    return files, _jpeg(Image.fromarray(np.hstack(halves)), quality=70)


def _within(pixels: np.ndarray, longest: int) -> Image.Image:
    picture = Image.fromarray(pixels)
    picture.thumbnail((longest, longest), reducing_gap=2)
    return picture


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
