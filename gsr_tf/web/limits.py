"""What one request may ask for, and how many may ask at once."""

from __future__ import annotations

import dataclasses

from gsr_tf.data.aspect import refuse_sliver
from gsr_tf.data.pictures import PictureTooLarge

MEGA = 1_000_000


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds of a server; its memory is that of the workers, at most (workers + queue) uploads, and answers being read.

    Attributes:
        upload_bytes: of one picture file.
        pixels: of one picture, decoded.
        decode_bytes: of memory, while one is decoded.
        tile_pixels: of a picture that is seen at its own resolution, which takes seconds a megapixel.
        workers: pictures at work at once.
        queue: requests that may wait beside those.
        upload_seconds: until an upload is complete.
        picture_seconds: from the start of decoding a picture to its answer.
    """

    upload_bytes: int = 32 * MEGA
    pixels: int = 64 * MEGA
    decode_bytes: int = 400 * MEGA
    tile_pixels: int = 12 * MEGA
    workers: int = 1
    queue: int = 8
    upload_seconds: float = 30.0
    picture_seconds: float = 300.0


def check_shape(height: int, width: int, resolution: str, limits: Limits) -> None:
    """PictureError for a picture of too long a shape, PictureTooLarge for too many pixels at this resolution."""
    if resolution == "tile" and height * width > limits.tile_pixels:
        raise PictureTooLarge(
            f"picture: {width}x{height} pixels, more than the {limits.tile_pixels:,} that are seen at their own "
            "resolution; ask for resolution=whole, or use python -m gsr_tf.predict"
        )
    refuse_sliver(height, width, "picture")
