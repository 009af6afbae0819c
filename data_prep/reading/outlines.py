"""COCO's outlines -> masks: polygons, and run lengths with or without compression, checked before C code sees them."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from data_prep.reading.entries import PreparationError
from gsr_tf.data.decoding.lacking import was_lacking

CANNOT_BE_READ = "object's outline cannot be read"
EMPTY, SMALL, LARGE = "object is empty", "object is too small", "object is too large"
CROWD = "object is a crowd"
STUFF = "segment is stuff"
FAR = 1.0  # of the picture's width and height, how far outside it a corner may lie


class AreaLimits(NamedTuple):
    """Which objects are used: by their share of the picture's area, and whether those that are marked as crowds."""

    least: float = 0.01
    most: float = 0.5
    crowds: bool = False

    def refusal(self, share: float) -> str:
        """Why an object of this share is not used; "" when it is."""
        if share == 0:
            return EMPTY
        if share < self.least:
            return SMALL
        return LARGE if share > self.most or share == 1 else ""


class Outline(ValueError):
    """An outline that is no mask of its picture; the message says why, in words that are counted."""


def need_pycocotools() -> None:
    """Raises PreparationError where pycocotools is not installed."""
    try:
        import pycocotools  # noqa: F401
    except ImportError as error:
        raise PreparationError("COCO's outlines need pycocotools: pip install 'gsr_tf[coco]'") from error


def decode_object(annotation: dict, shape: tuple[int, int], limits: AreaLimits) -> np.ndarray | str:
    """One annotation -> its mask, [h, w] uint8, 0 or 1; or the reason why it is not used."""
    from pycocotools import mask as coco_mask

    try:
        if annotation.get("iscrowd") and not limits.crowds:
            return CROWD
        run_lengths = _run_lengths(annotation.get("segmentation"), shape)
        refusal = limits.refusal(float(coco_mask.area(run_lengths)) / (shape[0] * shape[1]))
        # By columns as it comes; OpenCV turns it several times faster than NumPy.
        return refusal or cv2.transpose(coco_mask.decode(run_lengths).T)
    except Outline as error:
        return str(error)
    except Exception as error:  # pycocotools raises nearly anything for what it cannot read
        if was_lacking(error):
            raise
        return CANNOT_BE_READ


def _run_lengths(segmentation: object, shape: tuple[int, int]) -> dict:
    """Compressed run lengths, as pycocotools takes them; raises Outline."""
    from pycocotools import mask as coco_mask

    if not isinstance(segmentation, dict):
        polygons = [polygon for polygon in segmentation if len(polygon) >= 6]  # three corners
        for polygon in polygons:
            _check_corners(polygon, shape)
        return coco_mask.merge(coco_mask.frPyObjects(polygons, *shape))
    if tuple(segmentation["size"]) != shape:
        raise Outline("object of another size than its picture")
    counts = segmentation["counts"]
    compressed = isinstance(counts, str)
    lengths = _unpacked(counts) if compressed else counts
    if min(lengths, default=0) < 0 or sum(lengths) != shape[0] * shape[1]:
        raise Outline("object's run lengths do not add up to its picture")
    return segmentation if compressed else coco_mask.frPyObjects(segmentation, *shape)


def _check_corners(polygon: list[float], shape: tuple[int, int]) -> None:
    """Raises Outline for corners that are not finite or far away: drawing them takes memory by their distance."""
    corners = np.asarray(polygon, np.float64)
    if not np.isfinite(corners).all():
        raise Outline("object's corner is not finite")
    corners = corners[: len(corners) // 2 * 2].reshape(-1, 2) / shape[::-1]
    if (corners < -FAR).any() or (corners > 1 + FAR).any():
        raise Outline("object's corner is far outside its picture")


def _unpacked(counts: str) -> list[int]:
    """Run lengths out of COCO's text, as pycocotools' rleFrString: each from the fourth on is a difference.

    A letter has six bits: five of the number, of which the last letter's fifth is its sign, and one for "more".
    """
    lengths, value, shift = [], 0, 0
    for letter in counts.encode("ascii"):
        bits = letter - 48
        if not 0 <= bits < 64 or shift > 60:
            raise Outline(CANNOT_BE_READ)
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
            value = shift = 0
    return lengths
