"""Picture files that are not as they should be: cut, with flipped bits, lying headers, bombs, no pictures at all.

All are made here, from noise and gradients, and are the same for the same seed. Some still decode: a flipped bit may
change a pixel only.
"""

from __future__ import annotations

import functools
import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

Random = np.random.Generator
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "TIFF": ".tif", "WEBP": ".webp", "BMP": ".bmp", "GIF": ".gif"}
MODES = {
    "JPEG": ("RGB", "L", "CMYK"),
    "PNG": ("RGB", "L", "RGBA", "LA", "P", "1", "I;16"),
    "TIFF": ("RGB", "L", "RGBA", "CMYK", "1", "I;16", "F"),
    "WEBP": ("RGB", "RGBA"),
    "BMP": ("RGB", "L", "P", "1"),
    "GIF": ("RGB", "L", "P", "1"),
}
BOMB_SIDE = 50_000


def damaged_pictures(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """`count` files, (name, bytes); the kinds of damage take turns, the picture formats are drawn."""
    random = np.random.default_rng(seed)
    for number in range(count):
        damage = DAMAGES[number % len(DAMAGES)]
        format_ = str(random.choice(list(SUFFIXES)))
        suffix, data = damage(random, format_)
        yield f"{number:05d}_{damage.__name__}{suffix}", data


def picture(random: Random, format_: str) -> bytes:
    """A sound picture of a random small size and mode: a gradient with noise; half of them with EXIF orientation."""
    mode = str(random.choice(MODES[format_]))
    width, height = (int(side) for side in random.integers(8, 97, 2))
    slope = np.linspace(0, 180, width)[np.newaxis, :, np.newaxis]
    pixels = (slope + random.integers(0, 76, (height, width, 3))).astype(np.uint8)
    made = _in_mode(pixels, mode)
    more = {"exif": _exif(random)} if format_ in ("JPEG", "PNG", "WEBP") and random.random() < 0.5 else {}
    if format_ in ("GIF", "WEBP", "TIFF", "PNG") and random.random() < 0.2:
        more |= {"save_all": True, "append_images": [made.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]}
    if format_ == "TIFF" and mode in ("RGB", "L") and random.random() < 0.5:
        more |= {"compression": str(random.choice(["tiff_lzw", "tiff_deflate", "jpeg"]))}
    buffer = io.BytesIO()
    made.save(buffer, format_, **more)
    return buffer.getvalue()


def _in_mode(pixels: np.ndarray, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    if mode == "F":
        return Image.fromarray(pixels[..., 0].astype(np.float32) / 255)
    return Image.fromarray(pixels).convert(mode)


def _exif(random: Random) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = int(random.integers(1, 9))
    exif[0x010E] = "a description"
    return exif


def cut(random: Random, format_: str) -> tuple[str, bytes]:
    """The end is missing."""
    data = picture(random, format_)
    return SUFFIXES[format_], data[: int(random.integers(1, len(data)))]


def flipped_bits(random: Random, format_: str) -> tuple[str, bytes]:
    """One to twenty bits are wrong."""
    data = bytearray(picture(random, format_))
    for position in random.integers(0, len(data), int(random.integers(1, 21))):
        data[position] ^= 1 << int(random.integers(8))
    return SUFFIXES[format_], bytes(data)


def flipped_header_bits(random: Random, format_: str) -> tuple[str, bytes]:
    """A few bits of the first hundred bytes are wrong."""
    data = bytearray(picture(random, format_))
    for position in random.integers(0, min(100, len(data)), 3):
        data[position] ^= 1 << int(random.integers(8))
    return SUFFIXES[format_], bytes(data)


def lost_middle(random: Random, format_: str) -> tuple[str, bytes]:
    """A piece within is missing."""
    data = picture(random, format_)
    start, end = sorted(int(i) for i in random.integers(0, len(data), 2))
    return SUFFIXES[format_], data[:start] + data[end:]


def overwritten(random: Random, format_: str) -> tuple[str, bytes]:
    """A piece within is noise."""
    data = bytearray(picture(random, format_))
    start = int(random.integers(0, len(data)))
    end = min(len(data), start + int(random.integers(1, 200)))
    data[start:end] = random.bytes(end - start)
    return SUFFIXES[format_], bytes(data)


def two_in_one(random: Random, format_: str) -> tuple[str, bytes]:
    """The first half of one picture, the second half of another."""
    one, other = picture(random, format_), picture(random, format_)
    return SUFFIXES[format_], one[: len(one) // 2] + other[len(other) // 2 :]


def lying_size(random: Random, format_: str) -> tuple[str, bytes]:
    """The header says another width or height than the data has, up to the format's largest."""
    data = bytearray(picture(random, format_))
    positions, code = SIZE_FIELDS[format_](data)
    largest = 2 ** (8 * struct.calcsize(code) - 1) - 1
    for position in positions:
        value = random.choice([0, 1, 200, 5_000, 40_000, largest, int(random.integers(1, 300))])
        struct.pack_into(code, data, position, int(min(value, largest)))
    if format_ == "PNG":
        _seal_header(data)
    return SUFFIXES[format_], bytes(data)


def _seal_header(png: bytearray) -> None:
    struct.pack_into(">I", png, 29, zlib.crc32(png[12:29]))


def _jpeg_size(data: bytearray) -> tuple[list[int], str]:
    position = 2
    while not (0xC0 <= data[position + 1] <= 0xC3):
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return [position + 5, position + 7], ">H"


def _tiff_size(data: bytearray) -> tuple[list[int], str]:
    directory = int.from_bytes(data[4:8], "little")
    entries = int.from_bytes(data[directory : directory + 2], "little")
    fields = [directory + 2 + 12 * entry for entry in range(entries)]
    return [field + 8 for field in fields if int.from_bytes(data[field : field + 2], "little") in (256, 257)], "<H"


SIZE_FIELDS: dict[str, Callable[[bytearray], tuple[list[int], str]]] = {
    "JPEG": _jpeg_size,
    "PNG": lambda data: ([16, 20], ">I"),
    "TIFF": _tiff_size,
    "WEBP": lambda data: ([26, 28] if data[12:16] == b"VP8 " else [24, 27], "<H"),
    "BMP": lambda data: ([18, 22], "<I"),
    "GIF": lambda data: ([6, 8], "<H"),
}


def tiny_bomb(random: Random, format_: str) -> tuple[str, bytes]:
    """A PNG that says it has 50,000 x 50,000 pixels, and has a few hundred bytes."""
    data = bytearray(picture(random, "PNG"))
    struct.pack_into(">II", data, 16, BOMB_SIDE, BOMB_SIDE)
    _seal_header(data)
    return ".png", bytes(data)


def true_bomb(random: Random, format_: str) -> tuple[str, bytes]:
    """A PNG of 300 kB that truly has 50,000 x 50,000 pixels."""
    return ".png", _black_png(BOMB_SIDE, 1)


def hidden_bomb(random: Random, format_: str) -> tuple[str, bytes]:
    """A PNG of 8 x 8 pixels by its header, its data a thousand times as long."""
    data = bytearray(_black_png(2_000, 8))
    struct.pack_into(">II", data, 16, 8, 8)
    _seal_header(data)
    return ".png", bytes(data)


@functools.lru_cache(None)
def _black_png(side: int, bits: int) -> bytes:
    row = b"\0" * (1 + -(-side * bits // 8))
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def text_bomb(random: Random, format_: str) -> tuple[str, bytes]:
    """A PNG whose compressed text is 100 MB long."""
    data = picture(random, "PNG")
    body = b"Comment\0\0" + _packed_zeros(100_000_000)
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    return ".png", data[:33] + chunk + data[33:]


@functools.lru_cache(None)
def _packed_zeros(count: int) -> bytes:
    return zlib.compress(bytes(count), 1)


def truncated_exif(random: Random, format_: str) -> tuple[str, bytes]:
    """A JPEG whose EXIF block ends too early or points outside itself."""
    sound = io.BytesIO()
    Image.new("RGB", (40, 30), (90, 120, 150)).save(sound, "JPEG", exif=_exif(random))
    data = bytearray(sound.getvalue())
    start = data.index(b"Exif\0\0") + 6
    block = data[start : start + 40]
    if random.random() < 0.5:
        position = int(random.integers(8, len(block)))
        data[start + position : start + len(block)] = random.bytes(len(block) - position)
    else:
        struct.pack_into(">I", data, start + 4, int(random.integers(9, 2**31)))
    return ".jpg", bytes(data)


def looping_tiff(random: Random, format_: str) -> tuple[str, bytes]:
    """A TIFF whose next directory is the first again."""
    data = bytearray(picture(random, "TIFF"))
    directory = int.from_bytes(data[4:8], "little")
    entries = int.from_bytes(data[directory : directory + 2], "little")
    struct.pack_into("<I", data, directory + 2 + 12 * entries, directory)
    return ".tif", bytes(data)


def wrong_suffix(random: Random, format_: str) -> tuple[str, bytes]:
    """A sound picture under another format's suffix."""
    others = [suffix for other, suffix in SUFFIXES.items() if other != format_]
    return str(random.choice(others)), picture(random, format_)


def empty(random: Random, format_: str) -> tuple[str, bytes]:
    """No bytes."""
    return SUFFIXES[format_], b""


def text(random: Random, format_: str) -> tuple[str, bytes]:
    """Words under a picture's suffix."""
    return SUFFIXES[format_], b"From: me\nTo: you\n\nNo picture, but words.\n" * int(random.integers(1, 50))


def magic_and_noise(random: Random, format_: str) -> tuple[str, bytes]:
    """The first bytes of a picture, then noise."""
    return SUFFIXES[format_], picture(random, format_)[:16] + random.bytes(int(random.integers(1, 5_000)))


def archive(random: Random, format_: str) -> tuple[str, bytes]:
    """A ZIP archive, of a picture, under a picture's suffix."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr(zipfile.ZipInfo("picture.png"), picture(random, "PNG"))
    return SUFFIXES[format_], buffer.getvalue()


DAMAGES = (
    *(cut, flipped_bits, flipped_header_bits, lost_middle, overwritten, two_in_one, lying_size, tiny_bomb, true_bomb),
    *(hidden_bomb, text_bomb, truncated_exif, looping_tiff, wrong_suffix, empty, text, magic_and_noise, archive),
)
