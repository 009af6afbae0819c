"""Picture files as Pillow writes them, without a disk."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image


def encoded(picture: np.ndarray | Image.Image, form: str = "PNG", **save: Any) -> bytes:
    """The bytes of a file of a picture, or of the picture that an array is; `save` as Pillow takes it."""
    buffer = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(buffer, form, **save)
    return buffer.getvalue()


def turned(orientation: int) -> Image.Exif:
    """EXIF that has nothing but this orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
