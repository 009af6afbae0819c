"""Picture and mask files as people have them, to 8-bit arrays.

Any file that Pillow opens: 16-bit, palette, greyscale, CMYK, alpha and animated ones (the first frame), HEIC where
pillow-heif is installed, EXIF orientation honoured. One exception type, `PictureError`, names the file and says what
is wrong.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np
from PIL import ExifTags, Image, ImageOps

from gsr_tf.errors import UserError

# Of damaged metadata in a picture that can be read; nobody could tell which picture is meant.
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")

MAX_PIXELS = 256_000_000  # about 16,000 x 16,000; 0.75 GiB decoded
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".heic", ".heif")
ORIENTATION = 0x0112  # EXIF's tag
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


class PictureError(UserError):
    """A file that cannot be used as a picture; the message names it and says why."""


class PictureTooLarge(PictureError):
    """A picture of more pixels than are allowed; its header says so, nothing was decoded."""


class Raster(NamedTuple):
    """A decoded file: its pixels as viewers show them, and how the file stores them.

    Attributes:
        pixels: [h, w, 3] uint8 RGB, orientation applied.
        format: Pillow's name of the file format, e.g. "JPEG".
        plain: True when decoding the file's own bytes with TensorFlow gives `pixels` (8-bit grey or RGB,
            JPEG or PNG, no alpha, no orientation to apply).
        orientation: EXIF's, 1 to 8, of the stored pixels (`gsr_tf.data.orientation` undoes it).
        notes: what the file has and `pixels` has not, or what the file never had, in words: further frames, bits
            beyond eight, inks, transparency, colours.
    """

    pixels: np.ndarray
    format: str
    plain: bool
    orientation: int = 1
    notes: tuple[str, ...] = ()


class Probe(NamedTuple):
    """What `Raster` says of a file, without its pixels: height and width as viewers show it, and plain."""

    height: int
    width: int
    plain: bool


def _to_8_bit(picture: Image.Image) -> Image.Image:
    """16-bit and floating point greys scaled to 0..255; other modes unchanged."""
    if picture.mode.startswith("I"):  # 16 bits, or 16 in a 32-bit container
        values = np.asarray(picture).astype(np.int64)
        return Image.fromarray((values >> (8 if values.max(initial=0) > 255 else 0)).clip(0, 255).astype(np.uint8))
    if picture.mode == "F":
        values = np.nan_to_num(np.asarray(picture))
        scale = 255.0 if values.max(initial=0) <= 1 else 1.0
        return Image.fromarray(np.rint(values * scale).clip(0, 255).astype(np.uint8))
    return picture


@functools.lru_cache(None)
def _register_heic() -> bool:
    """Teaches Pillow to open HEIC; False where pillow-heif is not installed."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def _identified(data: bytes) -> Optional[Image.Image]:
    """`Image.open`, without its limit of pixels, which belongs to the whole process; None for what is no picture.

    Ours, `max_pixels`, is checked before any pixel is decoded.
    """
    tried: set[str] = set()
    for load_formats in (Image.preinit, Image.init):  # the common formats; all of them
        load_formats()
        for name in [name for name in Image.ID if name not in tried]:
            tried.add(name)
            factory, accepts = Image.OPEN[name]
            accepted = accepts is None or accepts(data[:16])
            if isinstance(accepted, str) or not accepted:  # words: why it cannot
                continue
            try:
                return factory(io.BytesIO(data), "")
            except (SyntaxError, IndexError, TypeError, struct.error):  # how a format says that it is another one
                continue
    return None


def _open(data: bytes, name: str, max_pixels: int) -> Image.Image:
    if not data:
        raise PictureError(f"{name}: the file is empty")
    heic = data[4:8] == b"ftyp" and data[8:12] in HEIC_BRANDS
    can_open_heic = heic and _register_heic()
    with _damage(name, "damaged header"):
        picture = _identified(data)
    if picture is None and heic and not can_open_heic:
        raise PictureError(f"{name}: HEIC needs pillow-heif: pip install 'gsr_tf[heic]'")
    if picture is None:
        raise PictureError(f"{name}: not a picture that Pillow can read")
    width, height = picture.size
    if width * height > max_pixels:
        raise PictureTooLarge(f"{name}: {width}x{height} pixels, more than the limit of {max_pixels:,}")
    return picture


@contextlib.contextmanager
def _damage(name: str, what: str) -> Iterator[None]:
    """Damaged files raise nearly anything: all of it becomes a PictureError but the lack of memory."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise PictureError(f"{name}: {what} ({error})") from error


def _make_room(tiff: Image.Image) -> None:
    """Room for a TIFF's pixels; Pillow, when it makes room for them itself, holds them against its limit again."""
    size = tiff.tag_v2[ExifTags.Base.ImageWidth], tiff.tag_v2[ExifTags.Base.ImageLength]  # as stored
    tiff.im = Image.new(tiff.mode, size, None).im


def _orientation(picture: Image.Image) -> int:
    value = picture.getexif().get(ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def _frames(picture: Image.Image) -> int:
    if picture.format == "MPO":  # a preview or a depth map behind the photograph
        return 1
    try:
        return getattr(picture, "n_frames", 1)
    except Exception:  # a damaged later frame is not looked at
        return 1


def _notes(picture: Image.Image) -> tuple[str, ...]:
    mode, frames = picture.mode, _frames(picture)
    deep = mode.startswith(("I", "F")) or any(";16" in str(tile[3]) for tile in picture.tile)
    found = {
        f"the first of {frames} frames": frames > 1,
        "more than 8 bits a channel, reduced to 8": deep,
        "CMYK, converted to RGB without a colour profile": mode == "CMYK",
        "transparency ignored": mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info,
        "a palette of at most 256 colours": mode in ("P", "PA"),
        "greyscale": mode in ("1", "L", "LA", "La", "F") or mode.startswith("I"),
    }
    return tuple(note for note, holds in found.items() if holds)


def _plain(picture: Image.Image, orient: bool) -> bool:
    return (
        picture.format in ("JPEG", "MPO", "PNG")  # MPO: a JPEG with more pictures behind it, from a telephone
        and picture.mode in ("L", "RGB")
        and "transparency" not in picture.info
        and not (orient and _orientation(picture) != 1)
    )


def probe_picture(data: bytes, name: str = "picture", *, max_pixels: int = MAX_PIXELS) -> Probe:
    """Checks that a picture's bytes decode to the end, at the least cost; arguments and errors as `decode_picture`."""
    picture = _open(data, name, max_pixels)
    with _damage(name, "truncated or damaged"):
        plain = _plain(picture, orient=True)
        if picture.format == "TIFF":
            _make_room(picture)
            picture.load()  # which turns a TIFF upright, and forgets its orientation
        width, height = picture.size
        if _orientation(picture) >= 5:  # a quarter turn
            width, height = height, width
        # A JPEG's data is then read in full, but only an eighth of its rows and columns is computed.
        picture.draft("L", (max(1, picture.width // 8), max(1, picture.height // 8)))
        picture.load()
    return Probe(height, width, plain)


def decode_picture(data: bytes, name: str = "picture", *, orient: bool = True, max_pixels: int = MAX_PIXELS) -> Raster:
    """Decodes the bytes of any picture file.

    Args:
        data: the file's bytes.
        name: what error messages call it.
        orient: False: the pixels as stored, whatever the EXIF orientation says.
        max_pixels: larger pictures are refused before decoding.

    Returns:
        The Raster: [h, w, 3] uint8 RGB pixels with how they were stored.

    Raises:
        PictureError: empty, truncated, not a picture, or (PictureTooLarge) too large.
        MemoryError: there is not enough memory for its pixels.
    """
    picture = _open(data, name, max_pixels)
    stored_format = picture.format or "unknown"
    with _damage(name, "truncated or damaged"):
        notes, orientation, plain = _notes(picture), _orientation(picture), _plain(picture, orient)
        if picture.format == "TIFF":
            _make_room(picture)
        if orient:
            ImageOps.exif_transpose(picture, in_place=True)
        picture = _to_8_bit(picture)
        pixels = np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
    return Raster(pixels, stored_format, plain, orientation, notes)


def pixel_count(data: bytes, name: str = "picture", *, max_pixels: int = MAX_PIXELS) -> int:
    """Width times height by the file's header, nothing decoded; arguments and errors as `decode_picture`."""
    width, height = _open(data, name, max_pixels).size
    return width * height


def read_bytes(path: str | os.PathLike) -> bytes:
    """The file's bytes; a file that cannot be read is a PictureError."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise PictureError(f"{path}: cannot be read ({error.strerror})") from error


def read_picture(path: str | os.PathLike, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """[h, w, 3] uint8 RGB of the picture file at `path`, orientation applied; raises PictureError."""
    return decode_picture(read_bytes(path), str(path), max_pixels=max_pixels).pixels


def encode_png(pixels: np.ndarray, orientation: int = 1) -> bytes:
    """PNG bytes of a [h, w] or [h, w, 3] (RGB) uint8, or a [h, w] uint16 array, with an EXIF orientation."""
    buffer = io.BytesIO()
    exif = Image.Exif()
    if orientation != 1:
        exif[ORIENTATION] = orientation
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=3, exif=exif)
    return buffer.getvalue()


def write_atomically(path: str | os.PathLike, data: bytes) -> None:
    """Writes `data` aside and renames it: a reader never sees half a file. An OSError names `path`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        aside.write_bytes(data)
        aside.replace(path)
    except OSError as error:  # a full disk names no file
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        aside.unlink(missing_ok=True)
