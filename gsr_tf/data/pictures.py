"""Picture and mask files as people have them, to 8-bit arrays.

JPEG, PNG, TIFF, WebP, BMP, GIF, and HEIC where pillow-heif is installed; no other format is opened. 16-bit, palette,
greyscale, CMYK, alpha and animated ones (the first frame), EXIF orientation honoured. One exception type,
`PictureError`, names the file and says what is wrong.
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
from PIL import ExifTags, Image

from gsr_tf.data import jpeg_end, png_chunks, tones
from gsr_tf.data.orientation import stored_view, to_stored
from gsr_tf.errors import UserError

# Of damaged metadata in a picture that can be read; nobody could tell which picture is meant.
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")

MAX_PIXELS = 256_000_000  # about 16,000 x 16,000; 0.75 GiB decoded
JPEG_SUFFIXES = (".jpg", ".jpeg", ".jfif", ".jpe", ".mpo")
PICTURE_SUFFIXES = (*JPEG_SUFFIXES, ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".heic", ".heif")
# Pictures that are not read; one in a folder of others is named, and not taken for a text or a video.
OTHER_PICTURE_SUFFIXES = (
    *(".avif", ".jp2", ".j2k", ".jpx", ".jxl", ".psd", ".exr", ".hdr", ".svg", ".eps", ".ico", ".dds", ".tga", ".pcx"),
    *(".ppm", ".pgm", ".pbm", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw"),
)
JPEGS = ("JPEG", "MPO")  # MPO: with more pictures behind it, from a telephone
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "HEIF")  # Pillow's names; JPEG opens MPO
ORIENTATION = 0x0112  # EXIF's tag
TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF's orientation; its other tags, damaged or not, are left alone
CFA, LINEAR_RAW = 32803, 34892  # what a TIFF calls a sensor's own values
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
    """What `Raster` says of a file, without its pixels: height and width as viewers show it, and plain.

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
        image: its pixels, loaded; upright where that was asked for.
        format, plain, orientation, notes: as of `Raster`.
        white_is_zero: the levels of a deep grey run from white to black.
    """

    image: Image.Image
    format: str
    plain: bool
    orientation: int
    notes: tuple[str, ...]
    white_is_zero: bool


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
    for load_formats in (Image.preinit, Image.init):  # the common formats; all of them
        load_formats()
        for name in [name for name in FORMATS if name in Image.OPEN]:
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
        picture = _identified(png_chunks.without_text(data))
    if picture is None and heic and not can_open_heic:
        raise PictureError(f"{name}: HEIC needs pillow-heif: pip install 'gsr_tf[heic]'")
    if picture is None:
        raise PictureError(f"{name}: not a picture in a format that is read: JPEG, PNG, TIFF, WebP, BMP, GIF, HEIC")
    _refuse_raw(picture, name)
    width, height = picture.size
    if width * height > max_pixels:
        raise PictureTooLarge(f"{name}: {width}x{height} pixels, more than the limit of {max_pixels:,}")
    return picture


def _refuse_raw(picture: Image.Image, name: str) -> None:
    """Raises PictureError for a camera's raw file, of which the first frame is a small preview."""
    tags = getattr(picture, "tag_v2", {})
    preview = picture.format == "TIFF" and _is_thumbnail(picture) and ExifTags.Base.SubIFDs in tags
    if (
        ExifTags.Base.DNGVersion in tags
        or tags.get(ExifTags.Base.PhotometricInterpretation) in (CFA, LINEAR_RAW)
        or (preview and ExifTags.Base.Make in tags)
    ):
        raise PictureError(f"{name}: a camera's raw file; develop it first, and give the TIFF or JPEG that comes out")


def _is_thumbnail(tiff: Image.Image) -> bool:
    kind = tiff.tag_v2.get(ExifTags.Base.NewSubfileType, 0)
    return isinstance(kind, int) and bool(kind & 1)


@contextlib.contextmanager
def _damage(name: str, what: str) -> Iterator[None]:
    """Damaged files raise nearly anything: all of it becomes a PictureError but the lack of memory."""
    try:
        yield
    except (MemoryError, PictureError):
        raise
    except tones.UnknownRange as error:
        raise PictureError(f"{name}: {error}") from error
    except Exception as error:
        raise PictureError(f"{name}: {what} ({error})") from error


def _make_room(tiff: Image.Image) -> None:
    """Room for a TIFF's pixels; Pillow, when it makes room for them itself, holds them against its limit again."""
    size = tiff.tag_v2[ExifTags.Base.ImageWidth], tiff.tag_v2[ExifTags.Base.ImageLength]  # as stored
    tiff.im = Image.new(tiff.mode, size, None).im


def _orientation(picture: Image.Image) -> int:
    try:
        value = picture.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF turns nothing
        return 1
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
        "by its tag the thumbnail of another frame, which was not looked at": (
            picture.format == "TIFF" and _is_thumbnail(picture)
        ),
        "more than 8 bits a channel, reduced to 8": deep,
        "CMYK, converted to RGB without a colour profile": mode == "CMYK",
        "transparency ignored": mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info,
        "a palette of at most 256 colours": mode in ("P", "PA"),
        "greyscale": mode in ("1", "L", "LA", "La", "F") or mode.startswith("I"),
    }
    return tuple(note for note, holds in found.items() if holds)


def _plain(picture: Image.Image, orient: bool) -> bool:
    return (
        picture.format in (*JPEGS, "PNG")
        and picture.mode in ("L", "RGB")
        and "transparency" not in picture.info
        and not (orient and _orientation(picture) != 1)
    )


def probe_picture(data: bytes, name: str = "picture", *, max_pixels: int = MAX_PIXELS) -> Probe:
    """Checks that a picture's bytes decode to the end, at the least cost; arguments and errors as `decode_picture`."""
    whole = _with_end(data)
    picture = _open(whole, name, max_pixels)
    with _damage(name, "truncated or damaged"):
        lossless = jpeg_end.frame_kind(data) == jpeg_end.LOSSLESS
        plain = _plain(picture, orient=True) and whole is data and not lossless
        if picture.format == "TIFF":
            _make_room(picture)
            picture.load()  # which turns a TIFF upright, and forgets its orientation
        width, height = picture.size
        stored_height = height
        if _orientation(picture) >= 5:  # a quarter turn
            width, height = height, width
        if not lossless:
            # A JPEG's data is then read in full, but only an eighth of its rows and columns is computed.
            picture.draft("L", (max(1, picture.width // 8), max(1, picture.height // 8)))
        picture.load()
    _refuse_cut(data, whole, picture, name)
    if picture.mode.startswith(("I", "F")):  # which of their levels is white may be past saying
        with _damage(name, "damaged"):
            _reduced(picture)
    lost = picture.format in JPEGS and jpeg_end.has_lost(np.asarray(picture), stored_height)
    return Probe(height, width, plain, lost)


def open_picture(data: bytes, name: str = "picture", *, orient: bool = True, max_pixels: int = MAX_PIXELS) -> Opened:
    """Loads a picture file in its own mode; arguments and errors as `decode_picture`."""
    whole = _with_end(data)
    picture = _open(whole, name, max_pixels)
    stored_format = picture.format or "unknown"
    with _damage(name, "truncated or damaged"):
        notes, orientation, plain = _notes(picture), _orientation(picture), _plain(picture, orient)
        inverted, upright = False, False
        if stored_format == "TIFF":
            inverted = picture.tag_v2.get(ExifTags.Base.PhotometricInterpretation) == 0
            upright = True  # by `load`
            _make_room(picture)
        picture.load()
        _refuse_cut(data, whole, picture, name)
        if orient and not upright and orientation != 1:
            picture = picture.transpose(TRANSPOSES[orientation])
        elif upright and not orient and orientation != 1:
            picture = Image.fromarray(to_stored(np.asarray(picture), orientation))
    if whole is not data:
        notes = (*notes, "the file's last bytes are missing")
    plain = plain and whole is data and jpeg_end.frame_kind(data) != jpeg_end.LOSSLESS  # which TensorFlow refuses
    return Opened(picture, stored_format, plain, orientation, notes, inverted)


def _with_end(data: bytes) -> bytes:
    return jpeg_end.with_end(data) if jpeg_end.lacks_end(data) else data


def _refuse_cut(data: bytes, whole: bytes, picture: Image.Image, name: str) -> None:
    if whole is not data and jpeg_end.is_cut(data, np.asarray(picture)):
        raise PictureError(f"{name}: truncated or damaged (its end is missing)")


def to_8_bit(opened: Opened) -> tuple[Image.Image, list[str]]:
    """Greys of more than eight bits, and floats, as `gsr_tf.data.tones` says; other modes unchanged. And notes."""
    picture = opened.image
    if not picture.mode.startswith(("I", "F")):
        return picture, []
    levels, notes = _reduced(picture)
    return Image.fromarray(255 - levels if opened.white_is_zero else levels), notes


def _reduced(picture: Image.Image) -> tuple[np.ndarray, list[str]]:
    return (tones.from_floats if picture.mode == "F" else tones.from_integers)(np.asarray(picture))


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
        PictureError: empty, truncated, not a picture, of levels that `gsr_tf.data.tones` refuses, or
            (PictureTooLarge) too large.
        MemoryError: there is not enough memory for its pixels.
    """
    opened = open_picture(data, name, orient=orient, max_pixels=max_pixels)
    with _damage(name, "truncated or damaged"):
        picture, notes = to_8_bit(opened)
        pixels = np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
    notes = (*opened.notes, *notes, *_lost_rows(opened, pixels))
    return Raster(pixels, opened.format, opened.plain, opened.orientation, notes)


def _lost_rows(opened: Opened, pixels: np.ndarray) -> list[str]:
    stored = pixels if opened.plain else stored_view(pixels, opened.orientation)
    if opened.format not in JPEGS or not jpeg_end.has_lost(stored, len(stored)):
        return []
    rows = jpeg_end.grey_rows(stored)
    return [f"the last {rows} of {len(stored)} rows are plain grey, as where a file's data were lost"]


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
    except ValueError as error:  # a NUL in its name
        raise PictureError(f"{path!r}: cannot be read ({error})") from error


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
