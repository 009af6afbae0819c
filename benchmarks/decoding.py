"""Memory and time of reading one large picture, by kind of file; prints a table.

    python -m benchmarks.decoding --megapixels=64

Each kind is read as `predict` and `serve` read it, in a process of its own. `peak` is what that process held at most
while reading, less what it held before; the file's bytes count. `expected` is what `serve` takes it for by the header,
without the file's bytes (`gsr_tf.data.decoding.cost`). Seconds are of the processor. Linux only; needs tifffile.
"""

from __future__ import annotations

import functools
import io
import json
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import tifffile
from absl import flags
from PIL import Image

from gsr_tf import command
from gsr_tf.data.decoding.png_chunks import SIGNATURE
from gsr_tf.data.pictures import decoding_bytes

MEGA = 1_000_000

ADAM7 = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)  # y, x, dy, dx

# Runs in the child.
CHILD = """
import json, sys, time
from pathlib import Path
from gsr_tf.data.pictures import decode_picture, read_bytes

def of(field):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024

decode_picture(read_bytes(sys.argv[2]))
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
rest, start = of("VmRSS"), time.process_time()
decode_picture(read_bytes(sys.argv[1]))
print(json.dumps([of("VmHWM") - rest, time.process_time() - start]))
"""


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_float("megapixels", 64, "Size of the pictures, 4:3.", 0.01, flag_values=values)
    flags.DEFINE_list("kinds", [], "Only kinds whose names begin so.", flag_values=values)


def _action(args: flags.FlagValues) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for line in table(args.megapixels, args.kinds, Path(folder)):
            print(line, flush=True)


def _picture(width: int, height: int) -> np.ndarray:
    """[h, w, 3] uint8: smooth, in steps of 4 levels, so that a file of 64 megapixels is no larger than an upload."""
    small = np.random.default_rng(0).integers(0, 256, (height // 64 + 2, width // 64 + 2, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC) & 0xFC


def _saved(form: str, mode: str = "RGB", **options) -> Callable[[np.ndarray], bytes]:
    def save(pixels: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        picture = Image.fromarray(pixels).convert(mode)
        if mode == "RGBA":
            picture.putalpha(picture.getchannel(0))
        picture.save(buffer, form, **options)
        return buffer.getvalue()

    return save


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def _deep(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.uint16) << 8


def _png_16(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", _deep(pixels), [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def _interlaced(pixels: np.ndarray) -> bytes:
    packer, packed = zlib.compressobj(1), []
    for top, left, down, across in ADAM7:
        rows = pixels[top::down, left::across]
        packed.append(packer.compress(np.insert(rows.reshape(len(rows), -1), 0, 0, axis=1).tobytes()))
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 1)
    chunks = [(b"IHDR", header), (b"IDAT", b"".join([*packed, packer.flush()])), (b"IEND", b"")]
    return SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def _tiff(pixels: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack", **options)
    return buffer.getvalue()


def _packed_tiff(**options) -> Callable[[np.ndarray], bytes]:
    return lambda pixels: _tiff(pixels, compression="zlib", **options)


MAKE = {
    "JPEG": _saved("JPEG", quality=85),
    "JPEG, grey": _saved("JPEG", "L", quality=85),
    "JPEG, CMYK": _saved("JPEG", "CMYK", quality=85),
    "JPEG, turned (orientation 6)": _saved("JPEG", quality=85, exif=_exif(6)),
    "JPEG, upside down (orientation 3)": _saved("JPEG", quality=85, exif=_exif(3)),
    "JPEG, progressive": _saved("JPEG", quality=85, progressive=True),
    "JPEG, progressive, 4:4:4": _saved("JPEG", quality=85, progressive=True, subsampling=0),
    "PNG": _saved("PNG", compress_level=1),
    "PNG, RGBA": _saved("PNG", "RGBA", compress_level=1),
    "PNG, palette": _saved("PNG", "P", compress_level=1),
    "PNG, grey": _saved("PNG", "L", compress_level=1),
    "PNG, grey, 16 bits": lambda pixels: _png_16(pixels[..., 0]),
    "PNG, 16 bits": _png_16,
    "PNG, interlaced": _interlaced,
    "TIFF, strips": _packed_tiff(rowsperstrip=64),
    "TIFF, one strip": lambda pixels: _packed_tiff(rowsperstrip=len(pixels))(pixels),
    "TIFF, tiles": _packed_tiff(tile=(256, 256)),
    "TIFF, 16 bits": lambda pixels: _packed_tiff(rowsperstrip=64)(_deep(pixels)),
    "TIFF, floats": lambda pixels: _packed_tiff(rowsperstrip=64)(pixels[..., 0] / np.float32(255)),
    "WebP": _saved("WEBP", quality=80, method=0),
    "WebP, RGBA": _saved("WEBP", "RGBA", quality=80, method=0),
    "WebP, lossless": _saved("WEBP", lossless=True, quality=0, method=0),
    "GIF": _saved("GIF", "P"),
    "BMP": _saved("BMP"),
}


def measure(path: Path, small: Path) -> tuple[int, float]:
    """Peak bytes and processor seconds of reading a file; `small` is read before, for what is made once."""
    child = [sys.executable, "-c", CHILD, str(path), str(small)]
    return tuple(json.loads(subprocess.run(child, check=True, stdout=subprocess.PIPE).stdout))


def table(megapixels: float, kinds: list[str], folder: Path) -> Iterator[str]:
    """The table's lines, written as Markdown, as they get done."""
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    pixels, tiny = _picture(width, round(megapixels * 1e6 / width)), _picture(64, 48)
    yield "| kind | file, MB | seconds | peak, MB | bytes a pixel | expected, MB |"
    yield "|---|---|---|---|---|---|"
    for kind in (kind for kind in MAKE if not kinds or kind.startswith(tuple(kinds))):
        large, small = folder / "large", folder / "small"
        large.write_bytes(MAKE[kind](pixels))
        small.write_bytes(MAKE[kind](tiny))
        peak, seconds = measure(large, small)
        size, expected = large.stat().st_size, decoding_bytes(large.read_bytes())
        each = peak / (pixels.size // 3)
        yield f"| {kind} | {size / MEGA:.1f} | {seconds:.1f} | {peak / MEGA:.0f} | {each:.1f} | {expected / MEGA:.0f} |"


main = functools.partial(command.main, _action, __doc__, _define)

if __name__ == "__main__":
    sys.exit(main())
