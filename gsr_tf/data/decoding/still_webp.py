"""WebP files of one frame without transparency, decoded by OpenCV.

Pillow reads every WebP as an animation: it holds two canvases, the frame's bytes and the picture, 16 bytes a pixel.
OpenCV has libwebp write the three that are wanted, and copies them once. Both show the same levels.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import cv2
import numpy as np
from PIL import Image, ImageFile

from gsr_tf.data.decoding import webp_header
from gsr_tf.data.decoding.strips import strips

HEADER, HEAD = 12, 8  # bytes before the first chunk; of a chunk's name and length
MOST = 1000  # chunks that are looked at; programs write up to six
EXIF, ALPHA, ANIMATION = 8, 16, 2  # bits of what the header of an extended file says is there


class StillWebP(ImageFile.ImageFile):
    """Such a file for Pillow: opening it raises SyntaxError for any other, and for one that is not whole."""

    format = "WEBP"

    def _open(self) -> None:
        data = self.fp.read()
        chunks = dict(reversed([*itertools.islice(_chunks(data), MOST)]))  # the first of a kind
        flags = data[chunks[b"VP8X"][0]] if b"VP8X" in chunks else 0
        image = [kind for kind in (b"VP8 ", b"VP8L") if kind in chunks]
        if len(image) != 1 or flags & (ALPHA | ANIMATION) or b"ALPH" in chunks:
            raise SyntaxError("not a WebP of one opaque frame")
        self.lossless = image == [b"VP8L"]
        if self.lossless and data[chunks[b"VP8L"][0] + 4] & 0x10:  # says that it has transparency
            raise SyntaxError("not an opaque WebP")
        start, end = chunks[image[0]]
        # Alone: else libwebp takes what follows for the end of a frame that has lost its own.
        self._file = _file(data[start - HEAD : end])
        self._size, self._mode = webp_header.size(data), "RGB"
        if webp_header.size(self._file) != self._size:
            raise SyntaxError("a frame of another size than the picture")
        if flags & EXIF and b"EXIF" in chunks:
            start, end = chunks[b"EXIF"]
            self.info["exif"] = data[start:end]

    def decoded(self) -> np.ndarray:
        """[h, w, 3] uint8 RGB; ValueError for damaged data."""
        pixels = cv2.imdecode(np.frombuffer(self._file, np.uint8), cv2.IMREAD_COLOR)
        if pixels is None:
            raise ValueError("the frame's data")
        for rows in strips(*self.size[::-1]):  # in place OpenCV would copy all of them first
            pixels[rows] = cv2.cvtColor(pixels[rows], cv2.COLOR_BGR2RGB)
        return pixels

    def load(self) -> Image.core.PixelAccess | None:
        """Fills Pillow's own memory, too, for whoever wants a Pillow picture."""
        if self._im is None:
            self.im = Image.fromarray(self.decoded()).im
        return Image.Image.load(self)


def _file(frame: bytes) -> bytes:
    """A file of nothing but this chunk."""
    return b"RIFF" + (len(b"WEBP") + len(frame)).to_bytes(4, "little") + b"WEBP" + frame


def _chunks(data: bytes) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Kind, and first byte and end of its content, of each chunk; SyntaxError where one is cut off."""
    end = HEAD + int.from_bytes(data[4:8], "little")
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or end > len(data):
        raise SyntaxError("not a whole WebP file")
    start = HEADER
    while start + HEAD <= end:
        length = int.from_bytes(data[start + 4 : start + HEAD], "little")
        content = start + HEAD, start + HEAD + length
        if content[1] > end:
            raise SyntaxError("a chunk is cut off")
        yield data[start : start + 4], content
        start = content[1] + length % 2
