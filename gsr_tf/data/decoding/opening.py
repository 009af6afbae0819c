"""A picture file opened: recognised and measured, nothing of it decoded, and refused where it asks for too much."""

from __future__ import annotations

import contextlib
import functools
import io
import struct
import warnings
from collections.abc import Iterator

from PIL import ExifTags, Image

from gsr_tf.data.decoding import excess, jpeg_markers, png_chunks, tones, webp_header
from gsr_tf.data.decoding.lacking import can_have, naming, was_lacking
from gsr_tf.data.decoding.still_webp import StillWebP
from gsr_tf.errors import UserError

# Of damaged metadata in a picture that can be read; nobody could tell which picture is meant.
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")

FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "HEIF")  # Pillow's names; JPEG opens MPO
JPEGS = ("JPEG", "MPO")  # MPO: with more pictures behind it, from a telephone
CFA, LINEAR_RAW = 32803, 34892  # what a TIFF calls a sensor's own values
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # how its files begin, large ones last
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
CANVAS_BYTES = 16  # that Pillow may hold of a pixel of a WebP once it is opened
ORIENTATION = 0x0112  # EXIF's tag
PIECE = 1 << 22  # pixels of a TIFF's tile that is larger than its picture
SHARED = 8  # how often a TIFF's strips may name the same bytes, on average: blank ones are sometimes stored once
PACKED = 500_000  # pixels and bytes of a BMP with run lengths, which Pillow reads in Python, run by run


class PictureError(UserError):
    """A file that cannot be used as a picture; the message names it and says why."""


class PictureTooLarge(PictureError):
    """A picture of more pixels than are allowed; its header says so, nothing was decoded."""


@functools.lru_cache(None)
def _register_heic() -> bool:
    """Teaches Pillow to open HEIC; False where pillow-heif is not installed."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def _identified(data: bytes) -> Image.Image | None:
    """`Image.open`, without its limit of pixels, which belongs to the whole process; None for what is no picture.

    Ours, `max_pixels`, is checked before any pixel is decoded.
    """
    if webp_header.pixels(data):
        with contextlib.suppress(SyntaxError):
            return StillWebP(io.BytesIO(data), "")
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


def open_file(data: bytes, name: str, max_pixels: int) -> tuple[Image.Image, bytes]:
    """The picture of a file's bytes, not decoded, and the bytes, to which a JPEG's end was added where it is missing.

    Errors as those of `gsr_tf.data.pictures.decode_picture`.
    """
    if not data:
        raise PictureError(f"{name}: the file is empty")
    lacks_heic = data[4:8] == b"ftyp" and data[8:12] in HEIC_BRANDS and not _register_heic()
    with damage(name, "damaged header", CANVAS_BYTES * min(webp_header.pixels(data), max_pixels)):
        excess.refuse(data)
        whole = jpeg_markers.with_end(data) if jpeg_markers.lacks_end(data) else data
        picture = _identified(png_chunks.without_text(whole))
    if picture is None:
        raise PictureError(f"{name}: {_why_unknown(data, lacks_heic)}")
    _refuse_raw(picture, name)
    width, height = picture.size
    if width * height > max_pixels:
        raise PictureTooLarge(f"{name}: {width}x{height} pixels, more than the limit of {max_pixels:,}")
    with damage(name, "damaged header"):
        _refuse_pieces(picture, data)
    return picture, whole


def _why_unknown(data: bytes, lacks_heic: bool) -> str:
    """Why no format takes these bytes; `lacks_heic`: pillow-heif, which is not installed, would."""
    if lacks_heic:
        return "HEIC needs pillow-heif: pip install 'gsr_tf[heic]'"
    if data.startswith(TIFF):
        return (
            "a damaged TIFF, or one of a kind that is not read, such as colours in 32 bits or floating point; "
            "save it with 8 or 16 bits a channel"
        )
    return "not a picture in a format that is read: JPEG, PNG, TIFF, WebP, BMP, GIF, HEIC"


def _refuse_raw(picture: Image.Image, name: str) -> None:
    """Raises PictureError for a camera's raw file, of which the first frame is a small preview."""
    tags = getattr(picture, "tag_v2", {})
    preview = picture.format == "TIFF" and is_thumbnail(picture) and ExifTags.Base.SubIFDs in tags
    if (
        ExifTags.Base.DNGVersion in tags
        or tags.get(ExifTags.Base.PhotometricInterpretation) in (CFA, LINEAR_RAW)
        or (preview and ExifTags.Base.Make in tags)
    ):
        raise PictureError(f"{name}: a camera's raw file; develop it first, and give the TIFF or JPEG that comes out")


def is_thumbnail(tiff: Image.Image) -> bool:
    """Whether a TIFF's first frame says that it is the preview of another one."""
    kind = tiff.tag_v2.get(ExifTags.Base.NewSubfileType, 0)
    return isinstance(kind, int) and bool(kind & 1)


def _refuse_pieces(picture: Image.Image, data: bytes) -> None:
    """Raises Excess for pixels that are stored such that decoding them costs more than pixels do."""
    width, height = picture.size
    if picture.format == "BMP" and picture.tile[0][0] == "bmp_rle" and max(width * height, len(data)) > PACKED:
        raise excess.Excess(f"a BMP of run lengths, and larger than {PACKED:,} pixels or bytes; save it as PNG")
    if picture.format != "TIFF":
        return
    tags = picture.tag_v2
    across, down = (tags.get(tag, 0) for tag in (ExifTags.Base.TileWidth, ExifTags.Base.TileLength))
    if across * down > max(width * height, PIECE):
        raise excess.Excess(f"tiles of {across}x{down} pixels, larger than the picture; save it anew")
    stored = sum(sum(tags.get(tag, ())) for tag in (ExifTags.Base.StripByteCounts, ExifTags.Base.TileByteCounts))
    if stored > SHARED * len(data):
        raise excess.Excess(f"its pieces name {stored:,} bytes, more than there are; save it anew")


@contextlib.contextmanager
def damage(name: str, what: str, size: int = 0) -> Iterator[None]:
    """Damaged files raise nearly anything: all of it becomes a PictureError, but lack of memory a MemoryError.

    Args:
        name: of the file.
        what: is said to be wrong with it.
        size: bytes that a decoder may ask for within: libjpeg and libwebp call a picture damaged when they do not get
            them, and so it is asked whether they could be had.
    """
    try:
        with naming(name):
            yield
    except (MemoryError, PictureError):
        raise
    except (excess.Excess, tones.UnknownRange) as error:
        raise PictureError(f"{name}: {error}") from error
    except Exception as error:
        if not can_have(size):
            raise MemoryError(f"{name}: needs more memory than there is now") from error
        raise PictureError(f"{name}: {what} ({error})") from error


def stored_size(picture: Image.Image) -> tuple[int, int]:
    """Width and height as stored; Pillow says those of a TIFF as viewers show it."""
    if picture.format != "TIFF":
        return picture.size
    return picture.tag_v2[ExifTags.Base.ImageWidth], picture.tag_v2[ExifTags.Base.ImageLength]


def orientation_of(picture: Image.Image) -> int:
    """EXIF's, 1 to 8; 1 where there is none, or none that exists."""
    exif = picture.info.get("exif", b"")
    if isinstance(exif, bytes):  # of a JPEG they were looked at before it was opened
        excess.refuse_tags(exif.removeprefix(jpeg_markers.EXIF), "EXIF ")
    if picture.format == "PNG":
        picture.load()  # `getexif` would, and what is wrong with the pixels is not wrong with the EXIF alone
    try:
        value = picture.getexif().get(ORIENTATION, 1)
    except Exception as error:  # damaged EXIF turns nothing
        if was_lacking(error):
            raise
        return 1
    return value if value in range(1, 9) else 1
