"""How much memory decoding an opened picture takes at most, by its header; its file's own bytes are not counted.

These add up, a pixel:

    pixels in Pillow's memory   1, 2 or 4 bytes each; the array of 3 bytes is written over those of 4, else beside them
    turned by EXIF              4.5 bytes: the array, and half of it (`gsr_tf.data.decoding.raster`)
    progressive JPEG            2 bytes more for each sample, as all coefficients are held; baseline: rows only
    TIFF                        one strip or tile more; turned: the pixels once more
    WebP                        one opaque frame: 6 bytes, 7 if lossless; others: 16
    HEIC                        4.5 bytes more
"""

from __future__ import annotations

import math

from PIL import ExifTags, Image

from gsr_tf.data.decoding import jpeg_markers, room
from gsr_tf.data.decoding.opening import JPEGS, stored_size
from gsr_tf.data.decoding.still_webp import StillWebP

SMALL = 16_000_000  # bytes for all that does not grow with the picture
TURNED = 4.5


def decoding_bytes(picture: Image.Image, data: bytes, turned: bool) -> int:
    """Bytes at the moment at which most are held.

    Args:
        picture: opened, not loaded.
        data: its file's.
        turned: whether EXIF's orientation changes anything.
    """
    pixels = picture.width * picture.height
    depth = room.pixel_bytes(picture.mode)
    held = 3 if isinstance(picture, StillWebP) else depth
    while_loading = held * pixels + decoder_bytes(picture, data, turned)
    return max(while_loading, int(_array_bytes(picture, turned) * pixels) + SMALL)


def _array_bytes(picture: Image.Image, turned: bool) -> float:
    """Bytes a pixel while an array is made of what was loaded."""
    if isinstance(picture, StillWebP):
        return 6 if turned else 3
    depth = room.pixel_bytes(picture.mode)
    in_place = depth == 4 and picture.format in room.FORMATS and not (turned and picture.format == "TIFF")
    deep = picture.mode.startswith(("I", "F"))
    made = max(depth + 1, 4) if deep else 4 if in_place else depth + 3
    return max(made, TURNED) if turned else made


def decoder_bytes(picture: Image.Image, data: bytes, turned: bool) -> int:
    """Bytes that the decoder holds beside the pixels; arguments as `decoding_bytes`."""
    pixels = picture.width * picture.height
    if picture.format in JPEGS:
        return SMALL + _coefficient_bytes(picture, data)
    if picture.format == "TIFF":
        return SMALL + _piece_bytes(picture) + turned * room.pixel_bytes(picture.mode) * pixels
    if isinstance(picture, StillWebP):
        return SMALL + (4 if picture.lossless else 3) * pixels
    return SMALL + int({"WEBP": 12, "HEIF": 4.5}.get(picture.format, 0) * pixels)


def _coefficient_bytes(jpeg: Image.Image, data: bytes) -> int:
    """Of all blocks, where they come in more than one scan."""
    scans = sum(marker == jpeg_markers.SCAN for marker, _ in jpeg_markers.markers(data))
    if scans < 2 and "progressive" not in jpeg.info:
        return 0
    factors = [(max(1, across), max(1, down)) for _, across, down, _ in jpeg.layer]
    across, down = (max(each) for each in zip(*factors))
    width, height = (-(-side // (8 * most)) * 8 for side, most in zip(jpeg.size, (across, down)))
    return 2 * width * height * sum(math.prod(each) for each in factors)


def _piece_bytes(tiff: Image.Image) -> int:
    """Of one strip or tile, unpacked."""
    width, height = stored_size(tiff)
    across = _number(tiff, ExifTags.Base.TileWidth, width)
    down = _number(tiff, ExifTags.Base.TileLength, min(_number(tiff, ExifTags.Base.RowsPerStrip, height), height))
    samples, bits = _number(tiff, ExifTags.Base.SamplesPerPixel, 1), _number(tiff, ExifTags.Base.BitsPerSample, 8)
    return across * down * max(4, samples * bits // 8)


def _number(tiff: Image.Image, tag: int, default: int) -> int:
    """A tag's, the first of several; the default where there is none or it is no number."""
    value = tiff.tag_v2.get(tag, default)
    value = value[0] if isinstance(value, tuple) and value else value
    return value if isinstance(value, int) and value > 0 else default
