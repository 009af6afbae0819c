"""One picture's way from a file's bytes to an answer: decoded, shown to the network, answered; in any process."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from fastapi import Response

from gsr_tf.answers.memory import bounded_growth
from gsr_tf.data.decoding.lacking import was_lacking
from gsr_tf.data.pictures import PictureTooLarge, Raster, decode_picture, decoding_bytes
from gsr_tf.errors import UserError
from gsr_tf.inference.metadata import DetectorError
from gsr_tf.inference.score_maps import ScoreError
from gsr_tf.inference.segmentation import Segmentation
from gsr_tf.web.limits import MEGA, Limits, check_shape
from gsr_tf.web.refusal import Refusal

if TYPE_CHECKING:
    from gsr_tf.inference.detector import Detector


class Found(NamedTuple):
    """One picture, answered.

    Attributes:
        picture: [h, w, 3] uint8 RGB, upright.
        segmentation: of it.
        sha256: of the file, hexadecimal.
        seconds: {"decode": ..., "network": ...}.
        resolution: "whole" or "tile", at which it was seen.
        scales: factors of the size at which it was seen; their maps are averaged.
    """

    picture: np.ndarray
    segmentation: Segmentation
    sha256: str
    seconds: dict[str, float]
    resolution: str
    scales: tuple[float, ...]


class Task(NamedTuple):
    """What is asked of a picture, in a form that other processes can be sent.

    Attributes:
        data: a picture file's bytes.
        asked: keyword arguments of `Detector.segment`; "resolution" is among them.
        respond: makes the answer of what was found and of who found it: a function that a module names, or a partial.
    """

    data: bytes
    asked: Mapping
    respond: Callable[[Found, Detector], Response]


class Done(NamedTuple):
    """A task's answer, and the seconds of each stage: {"decode": ..., "network": ..., "encode": ...}."""

    response: Response
    seconds: dict[str, float]


def carry_out(task: Task, detector: Detector, limits: Limits) -> Done:
    """Looks at the task's picture and answers it.

    Raises:
        Refusal: 413, 422, 500 or 503; its message says why.
    """
    try:
        found = _find(task, detector, limits)
        start = time.perf_counter()
        response = task.respond(found, detector)
        return Done(response, {**found.seconds, "encode": time.perf_counter() - start})
    except PictureTooLarge as error:
        raise Refusal(413, str(error)) from error
    except (ScoreError, DetectorError) as error:  # the model's fault, not the picture's
        raise Refusal(500, str(error)) from error
    except UserError as error:
        raise Refusal(422, str(error)) from error
    except Exception as error:
        if not was_lacking(error):
            raise
        raise Refusal(503, "this picture needs more memory than there is now; try a smaller one") from error


def _find(task: Task, detector: Detector, limits: Limits) -> Found:
    start = time.perf_counter()
    raster = _decoded(task.data, limits)
    picture = raster.pixels
    check_shape(*picture.shape[:2], task.asked["resolution"], limits)
    decoded = time.perf_counter()
    segmentation = dataclasses.replace(detector.segment(picture, **task.asked), warnings=raster.notes)
    seconds = {"decode": decoded - start, "network": time.perf_counter() - decoded}
    scales = tuple(detector.scales_at(task.asked["resolution"]))
    sha256 = hashlib.sha256(task.data).hexdigest()
    return Found(picture, segmentation, sha256, seconds, task.asked["resolution"], scales)


def _decoded(data: bytes, limits: Limits) -> Raster:
    try:
        with bounded_growth(limits.decode_bytes):
            needed = decoding_bytes(data, max_pixels=limits.pixels)
            if needed > limits.decode_bytes:
                raise _too_costly(f"about {needed / MEGA:,.1f} MB", limits)
            return decode_picture(data, max_pixels=limits.pixels)
    except MemoryError as error:  # whatever its header says
        raise _too_costly("more than its header says", limits) from error


def _too_costly(needed: str, limits: Limits) -> PictureTooLarge:
    return PictureTooLarge(
        f"picture: decoding it takes {needed}, above the limit of {limits.decode_bytes / MEGA:,.1f} MB of memory "
        "(--max_decode_megabytes); save it smaller, or as a plain JPEG or PNG"
    )
