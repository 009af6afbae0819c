"""What one request may ask for, and how many may ask at once."""

from __future__ import annotations

import dataclasses

from gsr_tf.data.pictures import PictureError

MEGA = 1_000_000


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds of a server; its memory is at most (workers + queue) uploads and `workers` pictures at work.

    Attributes:
        upload_bytes: of one picture file.
        pixels: of one picture, decoded.
        aspect: long side over short side. A network that keeps the aspect ratio scales the short side up to its own
            size: a sliver of few pixels would otherwise need more memory than the largest picture.
        workers: pictures at work at once.
        queue: requests that may wait, or still be uploading, beside those.
        upload_seconds: until an upload is complete.
    """

    upload_bytes: int = 32 * MEGA
    pixels: int = 64 * MEGA
    aspect: float = 20.0
    workers: int = 1
    queue: int = 8
    upload_seconds: float = 30.0


def check_shape(height: int, width: int, limits: Limits) -> None:
    """PictureError for a picture of too long a shape."""
    if max(height, width) > limits.aspect * min(height, width):
        raise PictureError(
            f"picture: {width}x{height} pixels; expected the long side to be at most {limits.aspect:g} times the short"
        )
