"""What `POST /v1/segment` says of one picture."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from fastapi import Response
from pydantic import BaseModel, Field

from gsr_tf import __version__
from gsr_tf.data.masks import at_size
from gsr_tf.data.pictures import encode_jpeg, encode_png
from gsr_tf.web.task import Found

if TYPE_CHECKING:
    from gsr_tf.inference.detector import Detector

Depth = Literal["8", "16", "none"]
PREVIEW = {"quality": 92, "subsampling": 0}


class BoxAnswer(BaseModel):
    """A flagged region's bounding box, in pixels of the upright picture."""

    left: int
    top: int
    width: int
    height: int


class MapsAnswer(BaseModel):
    """Grey PNG files in base64, all of one size: the picture's, or reduced to `max_side`."""

    width: int
    height: int
    bits: Literal[8, 16] = Field(
        description="16: probability = level / 65535. 8: levels are rounded up, so that for every k in 0..254 "
        "level > k is exactly probability > k / 256."
    )
    probability: str
    boundary: str | None = Field(description="null of a network without a boundary branch.")
    mask: str = Field(description="8 bits: 255 flagged, 0 not.")


class Answer(BaseModel):
    """One picture's answer. Its mask says where to look closer and proves nothing; the score is no verdict."""

    model: str
    fingerprint: str = Field(description="Fingerprint of the model's graph and weights.")
    version: str = Field(description="Version of gsr_tf.")
    resolution: str = Field(description="How the picture was seen: whole or tile.")
    scales: list[float] = Field(description="Factors of the size at which it was seen; their maps are averaged.")
    precision: str = Field(description="Of the model's convolutions: float32 or bfloat16.")
    sha256: str = Field(description="SHA-256 of the file.")
    width: int = Field(description="Width of the picture, upright, in pixels.")
    height: int = Field(description="Its height, in pixels.")
    score: float = Field(description="The picture's, in [0, 1]: mean of the highest hundredth of the map.")
    threshold: float = Field(description="Strictly above it a pixel is flagged.")
    flagged: float = Field(description="Share of flagged pixels, in [0, 1], after the clean-up of small particles.")
    boxes: list[BoxAnswer] = Field(description="Bounding boxes of the flagged regions, the largest region first.")
    warnings: list[str] = Field(description="What the file has and was not looked at, e.g. 'transparency ignored'.")
    seconds: dict[str, float] = Field(description="Seconds spent decoding and in the network.")
    maps: MapsAnswer | None = None
    preview: str | None = Field(None, description="The upright picture as JPEG, in base64, as large as the maps.")


def respond(found: Found, detector: Detector, *, depth: Depth, max_side: int, preview: bool) -> Response:
    """The JSON response.

    Args:
        found: what is answered.
        detector: who answered.
        depth: bits of the maps.
        max_side: longest side of maps and preview, in pixels; 0: the picture's own.
        preview: whether the picture itself comes with them.
    """
    segmentation = found.segmentation
    height, width = found.picture.shape[:2]
    answer = Answer(
        model=detector.name,
        fingerprint=detector.fingerprint,
        version=__version__,
        resolution=found.resolution,
        scales=list(found.scales),
        precision=detector.precision,
        sha256=found.sha256,
        width=width,
        height=height,
        score=segmentation.score,
        threshold=segmentation.threshold,
        flagged=segmentation.flagged,
        boxes=[BoxAnswer(**box._asdict()) for box in segmentation.boxes],
        warnings=list(segmentation.warnings),
        seconds=found.seconds,
        maps=None if depth == "none" else _maps(found, int(depth), max_side),
        preview=_base64(encode_jpeg(reduced(found.picture, max_side), **PREVIEW)) if preview else None,
    )
    return Response(answer.model_dump_json(), media_type="application/json")


def _maps(found: Found, bits: int, max_side: int) -> MapsAnswer:
    def encoded(probability: np.ndarray) -> str:
        return _base64(encode_png(to_levels(reduced(probability, max_side), bits)))

    segmentation = found.segmentation
    mask = reduced(segmentation.mask, max_side).view(np.uint8) * np.uint8(255)
    return MapsAnswer(
        width=mask.shape[1],
        height=mask.shape[0],
        bits=bits,
        probability=encoded(segmentation.map),
        boundary=None if segmentation.boundary is None else encoded(segmentation.boundary),
        mask=_base64(encode_png(mask)),
    )


def to_levels(probability: np.ndarray, bits: int) -> np.ndarray:
    """[h, w] in [0, 1] as grey levels: 16 bits to the nearest, 8 bits rounded up (see `MapsAnswer.bits`)."""
    if bits == 16:
        return np.rint(probability * 65535).astype(np.uint16)
    levels = np.ceil(probability * 256)
    return np.minimum(levels, 255, out=levels).astype(np.uint8)


def reduced(pixels: np.ndarray, max_side: int) -> np.ndarray:
    """[h, w] or [h, w, 3] scaled down to a longest side of `max_side`; unchanged when not longer, or for 0.

    Levels and probabilities are averaged over areas; a bool mask takes its nearest pixels.
    """
    height, width = pixels.shape[:2]
    scale = max_side / max(height, width)
    if not 0 < scale < 1:
        return pixels
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return at_size(pixels, size) if pixels.dtype == bool else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
