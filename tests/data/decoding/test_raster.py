"""Pictures as arrays: strip by strip, in place, turned by halves; the same bits as at once, in little memory."""

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from gsr_tf.data.decoding import cost, strips
from gsr_tf.data.decoding.png_chunks import SIGNATURE
from gsr_tf.data.pictures import PictureError, decode_picture
from tests.picture_files import encoded, png_chunk, turned

PIXELS = cv2.resize(np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8), (37, 23))
TURNS = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: x[::-1].swapaxes(0, 1),
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: x.swapaxes(0, 1)[::-1],
}
KINDS = {
    "jpeg": ("JPEG", "RGB", {}),
    "jpeg grey": ("JPEG", "L", {}),
    "jpeg cmyk": ("JPEG", "CMYK", {}),
    "jpeg progressive": ("JPEG", "RGB", {"progressive": True}),
    "png": ("PNG", "RGB", {}),
    "png alpha": ("PNG", "RGBA", {}),
    "png grey alpha": ("PNG", "LA", {}),
    "png palette": ("PNG", "P", {}),
    "png bilevel": ("PNG", "1", {}),
    "tiff": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "tiff ink": ("TIFF", "CMYK", {}),
    "tiff alpha": ("TIFF", "RGBA", {"compression": "tiff_deflate"}),
    "tiff palette": ("TIFF", "P", {}),
    "webp": ("WEBP", "RGB", {}),
    "webp lossless": ("WEBP", "RGB", {"lossless": True}),
    "webp alpha": ("WEBP", "RGBA", {}),
}


def saved(pixels, form, mode="RGB", orientation=None, **options):
    if orientation:
        options["exif"] = turned(orientation)
    deep = mode == "I;16"  # to which Pillow converts nothing
    picture = Image.fromarray(pixels[..., 0] * np.uint16(257)) if deep else Image.fromarray(pixels).convert(mode)
    if mode == "RGBA":
        picture.putalpha(picture.getchannel(0))
    return encoded(picture, form, **options)


def at_once(data):
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("strip", [1, 100, 1 << 20], ids=["a row", "some rows", "whole"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_and_orientation_has_the_bits_that_it_has_at_once(monkeypatch, kind, strip):
    form, mode, options = KINDS[kind]
    expected = at_once(saved(PIXELS, form, mode, **options))
    monkeypatch.setattr(strips, "STRIP", strip)
    for orientation, turn in TURNS.items():
        data = saved(PIXELS, form, mode, orientation, **options)
        np.testing.assert_array_equal(decode_picture(data).pixels, turn(expected))
        np.testing.assert_array_equal(decode_picture(data, orient=False).pixels, expected)


def test_a_kind_whose_conversion_costs_much_to_prepare(monkeypatch):
    data = encoded(Image.merge("LAB", Image.fromarray(PIXELS).split()), "TIFF")
    monkeypatch.setattr(strips, "STRIP", 100)
    np.testing.assert_array_equal(decode_picture(data).pixels, at_once(data))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3)])
def test_the_smallest_pictures_are_turned(shape):
    pixels = PIXELS[: shape[0], : shape[1]]
    for orientation, turn in TURNS.items():
        raster_ = decode_picture(saved(pixels, "PNG", orientation=orientation))
        np.testing.assert_array_equal(raster_.pixels, turn(pixels))
        assert raster_.pixels.flags.c_contiguous


def test_an_interlaced_png():
    steps = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    passes = [PIXELS[top::down, left::across] for top, left, down, across in steps]
    body = b"".join(b"\0" + row.tobytes() for rows in passes for row in rows)
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 37, 23, 8, 2, 0, 0, 1))
    data = SIGNATURE + header + png_chunk(b"IDAT", zlib.compress(body)) + png_chunk(b"IEND", b"")
    np.testing.assert_array_equal(decode_picture(data).pixels, PIXELS)


def test_a_part_of_an_animation_is_not_taken_from_memory_that_it_is_not_in():
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    data = encoded(frames[0], save_all=True, append_images=frames[1:], disposal=2)
    np.testing.assert_array_equal(decode_picture(data).pixels, PIXELS)


# Runs in a process of its own, where blocks of memory come from the system one by one and go back when they are freed.
CHILD = """
import sys
from pathlib import Path
import numpy as np
from gsr_tf.answers import memory
from gsr_tf.data.pictures import decode_picture, decoding_bytes, read_bytes

def kilobytes(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1])

memory.keep_large_blocks_apart()
# What imports freed leaves holes in the heap, where a large block would be put and not be given back: they are filled.
filling = [np.empty(1 << 19, np.uint8) for _ in range(200)]
for path in sys.argv[1:]:
    decode_picture(read_bytes(f"{path}.small"))  # loads the code of its kind, which counts as memory, too
    data = read_bytes(path)
    memory.give_back()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    rest = kilobytes("VmRSS")
    decode_picture(data)
    print(1024 * (kilobytes("VmHWM") - rest), decoding_bytes(data))
"""
LARGE = (
    ("JPEG", "RGB", {}, 4),
    ("JPEG", "L", {}, 4),
    ("JPEG", "CMYK", {}, 4),
    ("JPEG", "RGB", {"orientation": 6}, 4.5),
    ("JPEG", "RGB", {"orientation": 3}, 4.5),
    ("JPEG", "RGB", {"progressive": True}, 7),
    ("JPEG", "RGB", {"progressive": True, "subsampling": 0}, 10),
    ("PNG", "RGB", {"compress_level": 1}, 4),
    ("PNG", "RGBA", {"compress_level": 1}, 4),
    ("PNG", "L", {"compress_level": 1}, 4),
    ("PNG", "I;16", {"compress_level": 1}, 4),
    ("TIFF", "RGB", {"compression": "tiff_deflate"}, 4),
    ("TIFF", "F", {"compression": "tiff_deflate"}, 5),
    ("TIFF", "RGB", {"compression": "tiff_deflate", "orientation": 6}, 8),
    ("WEBP", "RGB", {"method": 0}, 6),
    ("WEBP", "RGB", {"method": 0, "lossless": True, "quality": 0}, 7),
    ("WEBP", "RGBA", {"method": 0}, 16),
)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells the peak")
@pytest.mark.slow
def test_large_pictures_take_little_memory_and_no_more_than_is_expected(tmp_path):
    paths, count = [tmp_path / f"{number:02d}" for number in range(len(LARGE))], 4_000_000
    for path, (form, mode, options, _) in zip(paths, LARGE):
        for side, suffix in ((2000, ""), (200, ".small")):
            pixels = cv2.resize(PIXELS, (side, side), interpolation=cv2.INTER_NEAREST)
            path.with_suffix(suffix).write_bytes(saved(pixels, form, mode, **options))
    child = [sys.executable, "-c", CHILD, *map(str, paths)]
    # Huge pages of 2 MB are held or not by where a block happens to begin: up to 8 MB more in some runs.
    alone = {**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"}
    told = subprocess.run(child, env=alone, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    for (*kind, a_pixel), (held, expected) in zip(LARGE, (map(int, line.split()) for line in told), strict=True):
        assert held < a_pixel * count + 8_500_000, kind
        assert held <= expected <= 1.2 * a_pixel * count + cost.SMALL, kind


def parts(data):
    """The chunks of a WebP by kind."""
    found, start = {}, 12
    while start < len(data):
        length = struct.unpack_from("<I", data, start + 4)[0]
        found[data[start : start + 4]] = data[start + 8 : start + 8 + length]
        start += 8 + length + length % 2
    return found


def webp(chunks):
    body = b"".join(
        kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        for kind, content in chunks.items()
    )
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def test_what_follows_a_frame_that_lost_its_end_is_not_taken_for_it():
    chunks = parts(saved(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8), "WEBP", orientation=6))
    assert decode_picture(webp(chunks)).orientation == 6
    frame = chunks[b"VP8 "]
    chunks[b"VP8 "], chunks[b"EXIF"] = frame[: len(frame) // 2], chunks[b"EXIF"] + bytes(len(frame))
    with pytest.raises(PictureError, match="truncated or damaged"):
        decode_picture(webp(chunks))


def test_a_webp_whose_frame_is_larger_than_the_picture_is_refused_before_it_is_decoded(monkeypatch):
    chunks = parts(saved(PIXELS, "WEBP", orientation=6))
    other = parts(saved(np.zeros((900, 900, 3), np.uint8), "WEBP"))
    monkeypatch.setattr(cv2, "imdecode", None)
    with pytest.raises(PictureError, match="damaged header"):
        decode_picture(webp({**chunks, b"VP8 ": other[b"VP8 "]}))


def test_an_animated_webp_shows_its_first_frame():
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    found = decode_picture(encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True))
    np.testing.assert_array_equal(found.pixels, PIXELS)
    assert found.notes == ("the first of 2 frames",)
