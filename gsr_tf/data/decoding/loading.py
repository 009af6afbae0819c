"""A picture file decoded in its own mode, with notes on what 8-bit RGB will not have of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image

from gsr_tf.data.decoding import cost, gif_blocks, jpeg_losses, jpeg_markers, room, tiff_tags, tones
from gsr_tf.data.decoding.opening import (
    JPEGS,
    PictureError,
    damage,
    is_thumbnail,
    open_file,
    orientation_of,
    stored_size,
)
from gsr_tf.data.decoding.orientation import OPPOSITE
from gsr_tf.data.decoding.still_webp import StillWebP

MAX_PIXELS = 256_000_000  # about 16,000 x 16,000; 0.75 GiB decoded
TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF's orientation; its other tags, damaged or not, are left alone


class Probe(NamedTuple):
    """What `pictures.Raster` says of a file, without its pixels: height and width as viewers show it, and plain.

    Attributes:
        lost: a JPEG whose last rows are grey, as where a file's data were lost.
    """

    height: int
    width: int
    plain: bool
    lost: bool


class Opened(NamedTuple):
    """A loaded file in its own mode: palette, alpha and deep levels are as the file has them.

    Attributes:
        image: its pixels, loaded (those of `StillWebP` when they are asked for).
        room: the memory of these pixels, where that is our own; see `gsr_tf.data.decoding.room`.
        turn: EXIF's orientation that is to be applied to the image, 1 to 8; 1: none.
        decoder_bytes: that its decoder may ask for; see `gsr_tf.data.decoding.cost`.
        format, plain, orientation, notes: as of `pictures.Raster`.
        white_is_zero: the levels of a deep grey run from white to black.
    """

    image: Image.Image
    room: np.ndarray | None
    turn: int
    decoder_bytes: int
    format: str
    plain: bool
    orientation: int
    notes: tuple[str, ...]
    white_is_zero: bool


def probe_picture(data: bytes, name: str = "picture", *, max_pixels: int = MAX_PIXELS) -> Probe:
    """Checks that a picture's bytes decode to the end, at the least cost; arguments as `pictures.decode_picture`."""
    picture, whole = open_file(data, name, max_pixels)
    with damage(name, "truncated or damaged", cost.decoder_bytes(picture, data, turned=False)):
        plain = _is_plain(picture, data, whole, orient=True)
        if picture.format == "TIFF":
            room.make(picture, *stored_size(picture))
            picture.load()  # which turns a TIFF upright, and forgets its orientation
        width, height = picture.size
        stored_height = height
        if orientation_of(picture) >= 5:  # a quarter turn
            width, height = height, width
        if jpeg_markers.frame_kind(data) != jpeg_markers.LOSSLESS:
            # A JPEG's data is then read in full, but only an eighth of its rows and columns is computed.
            picture.draft("L", (max(1, picture.width // 8), max(1, picture.height // 8)))
        picture.load()
    _refuse_cut(data, whole, picture, name)
    if picture.mode.startswith(("I", "F")):  # which of their levels is white may be past saying
        with damage(name, "damaged"):
            _reduced(picture, None)
    lost = picture.format in JPEGS and jpeg_losses.has_lost(np.asarray(picture), stored_height)
    return Probe(height, width, plain, lost)


def open_picture(data: bytes, name: str) -> Opened:
    """Loads a picture file in its own mode, upright; arguments and errors as `pictures.decode_picture`."""
    opened = load_picture(data, name)
    with damage(name, "truncated or damaged", opened.decoder_bytes):
        opened.image.load()
        if opened.turn == 1:
            return opened
        return opened._replace(image=opened.image.transpose(TRANSPOSES[opened.turn]), room=None, turn=1)


def load_picture(data: bytes, name: str, *, orient: bool = True, max_pixels: int = MAX_PIXELS) -> Opened:
    """Loads a picture file in its own mode, not turned yet; arguments and errors as `pictures.decode_picture`."""
    picture, whole = open_file(data, name, max_pixels)
    stored_format, size = picture.format, cost.decoder_bytes(picture, data, turned=False)
    with damage(name, "truncated or damaged", size):
        made = room.make(picture, *stored_size(picture))  # first: to know the orientation of a PNG Pillow loads it
        notes, orientation = _notes(picture, data, whole), orientation_of(picture)
        plain = _is_plain(picture, data, whole, orient)
        inverted, turn = False, orientation if orient else 1
        if stored_format == "TIFF":
            inverted = picture.tag_v2.get(ExifTags.Base.PhotometricInterpretation) == 0
            turn = 1 if orient else OPPOSITE[orientation]  # `load` turns it upright
        if not isinstance(picture, StillWebP):
            picture.load()
        _refuse_cut(data, whole, picture, name)
    memory = room.filled(picture, made)
    return Opened(picture, memory, turn, size, stored_format, plain, orientation, notes, inverted)


def _frames(picture: Image.Image, data: bytes) -> int:
    """How many pictures the file has; Pillow would read every tag of every one of a TIFF's to count them."""
    if picture.format == "MPO":  # a preview or a depth map behind the photograph
        return 1
    counts = {"TIFF": tiff_tags.frames, "GIF": gif_blocks.frames}
    return counts[picture.format](data) if picture.format in counts else getattr(picture, "n_frames", 1)


def _notes(picture: Image.Image, data: bytes, whole: bytes) -> tuple[str, ...]:
    """What 8-bit RGB will not have of a picture that is not loaded yet; arguments as `_refuse_cut`."""
    mode, frames = picture.mode, _frames(picture, data)
    deep = mode.startswith(("I", "F")) or any(";16" in str(tile[3]) for tile in picture.tile)
    found = {
        f"the first of {frames} frames": 1 < frames < tiff_tags.MOST_FRAMES,
        f"the first of {tiff_tags.MOST_FRAMES:,} frames or more": frames >= tiff_tags.MOST_FRAMES,
        "by its tag the thumbnail of another frame, which was not looked at": (
            picture.format == "TIFF" and is_thumbnail(picture)
        ),
        "more than 8 bits a channel, reduced to 8": deep,
        "CMYK, converted to RGB without a colour profile": mode == "CMYK",
        "transparency ignored": mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info,
        "a palette of at most 256 colours": mode in ("P", "PA"),
        "greyscale": mode in ("1", "L", "LA", "La", "F") or mode.startswith("I"),
        "the file's last bytes are missing": whole is not data,
    }
    return tuple(note for note, holds in found.items() if holds)


def _is_plain(picture: Image.Image, data: bytes, whole: bytes, orient: bool) -> bool:
    """Whether TensorFlow decodes the data to what viewers show; arguments as `_refuse_cut`."""
    return (
        picture.format in (*JPEGS, "PNG")
        and picture.mode in ("L", "RGB")
        and "transparency" not in picture.info
        and not (orient and orientation_of(picture) != 1)
        and whole is data
        and jpeg_markers.frame_kind(data) != jpeg_markers.LOSSLESS
    )


def _refuse_cut(data: bytes, whole: bytes, picture: Image.Image, name: str) -> None:
    """Raises PictureError for a JPEG, loaded, that lacks more than its last marker.

    Args:
        data: the file's.
        whole: the same, with that marker where it is missing.
        picture: of `whole`.
        name: of the file.
    """
    width, height = picture.size
    if whole is not data and jpeg_losses.is_cut(data, np.asarray(picture.crop((width - 1, height - 1, width, height)))):
        raise PictureError(f"{name}: truncated or damaged (its end is missing)")


def to_8_bit(opened: Opened) -> tuple[Opened, list[str]]:
    """Greys of more than eight bits, and floats, as `tones` says; other modes unchanged. And notes."""
    if not opened.image.mode.startswith(("I", "F")):
        return opened, []
    levels, notes = _reduced(opened.image, opened.room)
    if opened.white_is_zero:
        np.subtract(255, levels, out=levels)
    return opened._replace(image=Image.fromarray(levels), room=None), notes


def _reduced(picture: Image.Image, memory: np.ndarray | None) -> tuple[np.ndarray, list[str]]:
    return (tones.from_floats if picture.mode == "F" else tones.from_integers)(room.values(picture, memory))
