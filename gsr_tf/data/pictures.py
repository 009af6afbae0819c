"""Picture and mask files as people have them, to 8-bit arrays.

JPEG, PNG, TIFF, WebP, BMP, GIF, and HEIC where pillow-heif is installed; no other format is opened. 16-bit, palette,
greyscale, CMYK, alpha and animated ones (the first frame), EXIF orientation honoured. One exception type,
`PictureError`, names the file and says what is wrong.
"""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from gsr_tf.data.decoding import cost, jpeg_losses, raster
from gsr_tf.data.decoding.loading import MAX_PIXELS, Opened, load_picture, to_8_bit
from gsr_tf.data.decoding.loading import probe_picture as probe_picture
from gsr_tf.data.decoding.opening import JPEGS, ORIENTATION, PictureError, damage, open_file, orientation_of
from gsr_tf.data.decoding.opening import PictureTooLarge as PictureTooLarge
from gsr_tf.data.decoding.orientation import stored_view

JPEG_SUFFIXES = (".jpg", ".jpeg", ".jfif", ".jpe", ".mpo")
PICTURE_SUFFIXES = (*JPEG_SUFFIXES, ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".heic", ".heif")
# Pictures that are not read; one in a folder of others is named, and not taken for a text or a video.
OTHER_PICTURE_SUFFIXES = (
    *(".avif", ".jp2", ".j2k", ".jpx", ".jxl", ".psd", ".exr", ".hdr", ".svg", ".eps", ".ico", ".dds", ".tga", ".pcx"),
    *(".ppm", ".pgm", ".pbm", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw"),
)


class Raster(NamedTuple):
    """A decoded file: its pixels as viewers show them, and how the file stores them.

    Attributes:
        pixels: [h, w, 3] uint8 RGB, orientation applied.
        format: Pillow's name of the file format, e.g. "JPEG".
        plain: True when decoding the file's own bytes with TensorFlow gives `pixels` (8-bit grey or RGB,
            JPEG or PNG, no alpha, no orientation to apply).
        orientation: EXIF's, 1 to 8, of the stored pixels (`gsr_tf.data.decoding.orientation` undoes it).
        notes: what the file has and `pixels` has not, or what the file never had, in words: further frames, bits
            beyond eight, inks, transparency, colours.
    """

    pixels: np.ndarray
    format: str
    plain: bool
    orientation: int = 1
    notes: tuple[str, ...] = ()


def decode_picture(data: bytes, name: str = "picture", *, orient: bool = True, max_pixels: int = MAX_PIXELS) -> Raster:
    """Decodes the bytes of any picture file.

    A JPEG that lacks no more than its last marker, which viewers show, is decoded with a note.

    Args:
        data: the file's bytes.
        name: what error messages call it.
        orient: False: the pixels as stored, whatever the EXIF orientation says.
        max_pixels: larger pictures are refused before decoding.

    Returns:
        The Raster: [h, w, 3] uint8 RGB pixels with how they were stored.

    Raises:
        PictureError: empty, truncated, not a picture, of levels that `gsr_tf.data.decoding.tones` refuses, or
            (PictureTooLarge) too large.
        MemoryError: there is not enough memory for its pixels.
    """
    opened = load_picture(data, name, orient=orient, max_pixels=max_pixels)
    with damage(name, "truncated or damaged", opened.decoder_bytes):
        opened, notes = to_8_bit(opened)
        pixels = raster.upright(opened.image, opened.room, opened.turn)
    notes = (*opened.notes, *notes, *_lost_rows(opened, pixels))
    return Raster(pixels, opened.format, opened.plain, opened.orientation, notes)


def _lost_rows(opened: Opened, pixels: np.ndarray) -> list[str]:
    stored = stored_view(pixels, opened.turn)
    if opened.format not in JPEGS or not jpeg_losses.has_lost(stored, len(stored)):
        return []
    rows = jpeg_losses.grey_rows(stored)
    return [f"the last {rows} of {len(stored)} rows are plain grey, as where a file's data were lost"]


def pixel_count(data: bytes, name: str = "picture", *, max_pixels: int = MAX_PIXELS) -> int:
    """Width times height by the file's header, nothing decoded.

    Arguments, but for `orient`, and errors are those of `decode_picture`.
    """
    width, height = open_file(data, name, max_pixels)[0].size
    return width * height


def decoding_bytes(data: bytes, name: str = "picture", *, max_pixels: int = MAX_PIXELS) -> int:
    """How much memory decoding takes at most, by the file's header.

    Arguments, but for `orient`, and errors are those of `decode_picture`.
    """
    picture, whole = open_file(data, name, max_pixels)
    with damage(name, "damaged header"):
        # A PNG's orientation may stand behind its pixels.
        return cost.decoding_bytes(picture, whole, picture.format == "PNG" or orientation_of(picture) != 1)


def read_bytes(path: str | os.PathLike) -> bytes:
    """The file's bytes; a file that cannot be read is a PictureError, and so is a pipe, which might never end."""
    try:
        if stat.S_ISREG(os.stat(path).st_mode):
            return Path(path).read_bytes()
    except OSError as error:
        raise PictureError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:  # a NUL in its name
        raise PictureError(f"{path!r}: cannot be read ({error})") from error
    raise PictureError(f"{path}: not a file")


def read_picture(path: str | os.PathLike) -> np.ndarray:
    """[h, w, 3] uint8 RGB of the picture file at `path`, orientation applied; raises PictureError."""
    return decode_picture(read_bytes(path), str(path)).pixels


def encode_png(pixels: np.ndarray, orientation: int = 1) -> bytes:
    """PNG bytes of a [h, w] or [h, w, 3] (RGB) uint8, or a [h, w] uint16 array, with an EXIF orientation."""
    buffer = io.BytesIO()
    exif = Image.Exif()
    if orientation != 1:
        exif[ORIENTATION] = orientation
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=3, exif=exif)
    return buffer.getvalue()


def encode_jpeg(pixels: np.ndarray, quality: int, **settings: int) -> bytes:
    """JPEG bytes of a [h, w, 3] uint8 RGB array; quality, 1 to 100, and settings as Pillow's."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="JPEG", quality=quality, **settings)
    return buffer.getvalue()
