"""From a request with a picture to an answer: admission, upload, decoding, the network, each bounded."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections.abc import Awaitable, Iterator, Mapping
from typing import Callable, NamedTuple, TypeVar

import numpy as np
from anyio import CancelScope, CapacityLimiter, to_thread
from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from gsr_tf.answers import memory
from gsr_tf.data.pictures import PictureTooLarge, decode_picture
from gsr_tf.errors import UserError
from gsr_tf.inference.detector import Detector
from gsr_tf.inference.segmentation import Segmentation
from gsr_tf.web.limits import Limits, check_shape
from gsr_tf.web.monitoring import Metrics
from gsr_tf.web.refusal import Refusal
from gsr_tf.web.upload import Room, check_header, read_upload

LOG = logging.getLogger("gsr_tf.web")
RETRY_SECONDS, RESTART_SECONDS = "2", "10"
CLIENT_GONE = 499  # nobody reads it; the metrics count it
WARM_UP = np.zeros([64, 64, 3], np.uint8)
Awaited = TypeVar("Awaited")


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


class Service:
    """One detector behind bounded doors.

    Attributes:
        status: "starting" until the first picture went through, then "ok", or "failed".
    """

    def __init__(self, detector: Detector, limits: Limits, metrics: Metrics):
        self.detector, self.limits, self.metrics = detector, limits, metrics
        self.status = "starting"
        self._workers = CapacityLimiter(limits.workers)
        self._free = limits.workers + limits.queue
        self._room = Room(self._free * limits.upload_bytes)
        self._stopping = False
        self._waiting: set[CancelScope] = set()

    async def warm_up(self) -> None:
        """One small picture, so that no client waits for the first trace."""
        try:
            await to_thread.run_sync(self.detector.segment, WARM_UP)
            self.status = "ok"
        except Exception:
            self.status = "failed"
            LOG.exception("the model does not answer")

    async def answer(self, request: Request, asked: Mapping, respond: Callable[[Found], Response]) -> Response:
        """Reads the request's picture, segments it, and lets `respond` make the answer, in a worker's thread.

        Args:
            request: whose body is a picture file.
            asked: keyword arguments of `Detector.segment`.
            respond: makes the answer of what was found.

        Raises:
            Refusal: 408, 413, 415, 422 or 503; its message says why.
        """
        check_header(request, self.limits)
        self._check_free()
        with self._room.share() as share:
            try:
                with self.metrics.uploading.track_inprogress():
                    data = await self._unless_stopped(read_upload(request, self.limits, share))
                self.metrics.upload_bytes.inc(len(data))
                self._check_free()
                with self._place():
                    await self._unless_stopped(self._workers.acquire())
                    try:
                        if await request.is_disconnected():
                            raise ClientDisconnect
                        return await to_thread.run_sync(self._work, data, asked, respond)
                    finally:
                        self._workers.release()
            except ClientDisconnect:
                return Response(status_code=CLIENT_GONE)

    def stop(self) -> None:
        """Refuses who uploads or waits, and who asks from now on; what is at work is finished."""
        self._stopping = True
        for scope in list(self._waiting):
            scope.cancel()

    async def _unless_stopped(self, awaited: Awaitable[Awaited]) -> Awaited:
        with CancelScope() as scope:
            self._waiting.add(scope)
            try:
                return await awaited
            finally:
                self._waiting.discard(scope)
        raise _stopping()

    def _check_free(self) -> None:
        if self._stopping:
            raise _stopping()
        if not self._free:
            raise Refusal(
                503,
                f"busy: {self.limits.workers} at work and {self.limits.queue} waiting are the limit (--workers, "
                "--queue); try again in a moment",
                {"Retry-After": RETRY_SECONDS},
            )

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        """One of the bounded places; a picture that is still on its way takes none, only room."""
        self._free -= 1
        self.metrics.admitted.inc()
        try:
            yield
        finally:
            self._free += 1
            self.metrics.admitted.dec()

    def _work(self, data: bytes, asked: Mapping, respond: Callable[[Found], Response]) -> Response:
        with self.metrics.at_work.track_inprogress():
            try:
                found = self._find(data, asked)
                with self.metrics.stage_seconds.labels("encode").time():
                    return respond(found)
            except PictureTooLarge as error:
                raise Refusal(413, str(error)) from error
            except UserError as error:
                raise Refusal(422, str(error)) from error
            except Exception as error:
                if not memory.was_lacking(error):
                    raise
                raise Refusal(503, "this picture needs more memory than there is now; try a smaller one") from error

    def _find(self, data: bytes, asked: Mapping) -> Found:
        start = time.perf_counter()
        picture = decode_picture(data, max_pixels=self.limits.pixels).pixels
        check_shape(*picture.shape[:2], asked["resolution"], self.limits)
        decoded = time.perf_counter()
        segmentation = self.detector.segment(picture, **asked)
        seconds = {"decode": decoded - start, "network": time.perf_counter() - decoded}
        for stage, value in seconds.items():
            self.metrics.stage_seconds.labels(stage).observe(value)
        scales = tuple(self.detector.scales_at(asked["resolution"]))
        return Found(picture, segmentation, hashlib.sha256(data).hexdigest(), seconds, asked["resolution"], scales)


def _stopping() -> Refusal:
    return Refusal(503, "the server is stopping; try again in a moment", {"Retry-After": RESTART_SECONDS})
