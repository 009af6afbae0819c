"""From a request with a picture to an answer: admission, upload, a worker, each bounded."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from anyio import CancelScope, CapacityLimiter, to_thread
from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from gsr_tf.errors import UserError
from gsr_tf.web.limits import Limits
from gsr_tf.web.monitoring import Metrics
from gsr_tf.web.refusal import RETRY, Refusal
from gsr_tf.web.task import Done, Found, Task
from gsr_tf.web.upload import UploadBudget, check_header, read_upload

if TYPE_CHECKING:
    from gsr_tf.inference.detector import Detector

LOG = logging.getLogger("gsr_tf.web")
RESTART_SECONDS = "10"
ANSWERING = ("fingerprint", "threshold", "scales")  # what `describe` says that an answer hangs on
CLIENT_GONE = 499  # nobody reads it; the metrics count it
Awaited = TypeVar("Awaited")


class PictureWorker(Protocol):
    """Who answers pictures, one at a time, whatever thread or process that is done in.

    UserError, OSError or MemoryError, where it raises them, say why it can answer none.
    """

    def model(self) -> dict:
        """What `model.describe` says; waits until it is known."""

    def warm_up(self) -> None:
        """Returns when one picture has been answered; raises what kept it from that."""

    def answer(self, task: Task) -> Done:
        """A picture's answer, or Refusal."""

    def close(self) -> None:
        """Nothing is answered any more."""


class Service:
    """A model behind bounded doors.

    Args:
        workers: who answer; `limits.workers` of them.
        limits: of requests.
        metrics: where they are counted.

    Attributes:
        model: what is told of it.
        failure: what keeps a worker from answering any picture; the server ends then.
    """

    def __init__(self, workers: Sequence[PictureWorker], limits: Limits, metrics: Metrics):
        self.limits, self.metrics = limits, metrics
        self.model = workers[0].model()
        self.failure: Exception | None = None
        self._all, self._idle = workers, list(reversed(workers))
        self._turns = CapacityLimiter(limits.workers)
        self._free = limits.workers + limits.queue
        self._budget = UploadBudget(self._free * limits.upload_bytes)
        self._ready = self._stopping = self._closed = False
        self._waiting: set[CancelScope] = set()

    @property
    def status(self) -> str:
        """What /healthz says: "starting" until the first picture went through, then "ok"; "failed" when it gives up."""
        if self.failure:
            return "failed"
        return "ok" if self._ready else "starting"

    async def warm_up(self) -> None:
        """Waits for the first answer of the first worker, so that no client waits for the first trace."""
        try:
            await to_thread.run_sync(self._all[0].warm_up)
        except Exception as error:
            self._give_up(error)
        else:
            self._ready = True
            LOG.info("ready")

    async def answer(
        self, request: Request, asked: Mapping, respond: Callable[[Found, Detector], Response]
    ) -> Response:
        """Reads the request's picture and lets a worker answer it; arguments as those of `Task`.

        Args:
            request: whose body is a picture file.
            asked: keyword arguments of `Detector.segment`.
            respond: makes the answer of what was found and of who found it.

        Raises:
            Refusal: 408, 413, 415, 422, 500, 503 or 504; its message says why.
        """
        check_header(request, self.limits)
        self._check_free()
        with self._budget.share() as share:
            try:
                with self.metrics.uploading.track_inprogress():
                    data = await self._unless_stopped(read_upload(request, self.limits, share))
                self.metrics.upload_bytes.inc(len(data))
                self._check_free()
                return await self._in_turn(request, Task(data, asked, respond))
            except ClientDisconnect:
                return Response(status_code=CLIENT_GONE)
            except asyncio.CancelledError:  # by uvicorn: the time for what is at work is over
                if self._stopping:
                    raise _stopping() from None
                raise

    async def _in_turn(self, request: Request, task: Task) -> Response:
        with self._place():
            await self._unless_stopped(self._turns.acquire())
            try:
                if await request.is_disconnected():
                    raise ClientDisconnect
                return await to_thread.run_sync(self._work, task)
            finally:
                self._turns.release()

    def stop(self) -> None:
        """Refuses who uploads or waits, and who asks from now on; what is at work is finished."""
        self._stopping = True
        if not self._ready:  # nobody waits for a picture that has not begun
            self.close()
        for scope in list(self._waiting):
            scope.cancel()

    def close(self) -> None:
        """Ends the workers, and what is at work with them."""
        self._closed = True
        for worker in self._all:
            worker.close()

    async def _unless_stopped(self, awaited: Awaitable[Awaited]) -> Awaited:
        with CancelScope() as scope:
            self._waiting.add(scope)
            try:
                return await awaited
            finally:
                self._waiting.discard(scope)
        raise _stopping()

    def _give_up(self, error: Exception) -> None:
        if not self._closed:
            LOG.error("the model does not answer, and the server ends: %s", error)
            self.failure = error

    def _check_same(self, model: Mapping) -> None:
        """A worker that takes another one's place loads what is there by then."""
        different = [name for name in ANSWERING if model[name] != self.model[name]]
        if different:
            other = ", ".join(f"{name} {model[name]}, not {self.model[name]}" for name in different)
            raise UserError(
                f"a new worker has loaded another model than the server began with ({other}): what "
                "--saved_model names was exchanged; start the server anew"
            )

    def _check_free(self) -> None:
        if self._stopping:
            raise _stopping()
        if not self._free:
            raise Refusal(
                503,
                f"busy: {self.limits.workers} at work and {self.limits.queue} waiting are the limit (--workers, "
                "--queue); try again in a moment",
                RETRY,
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

    def _work(self, task: Task) -> Response:
        if self.failure:  # since it was admitted
            raise _stopping()
        worker = self._idle.pop()  # the one used last: the others may still be starting
        try:
            with self.metrics.at_work.track_inprogress():
                done = worker.answer(task)
            self._check_same(worker.model())
        except Refusal as refusal:
            raise (_stopping() if self._closed else refusal) from refusal
        except (UserError, OSError, MemoryError) as error:
            self._give_up(error)
            failed = Refusal(500, "the model does not answer; the server's log says more")
            raise (_stopping() if self._closed else failed) from error
        finally:
            self._idle.append(worker)
        self._ready = True
        for stage, value in done.seconds.items():
            self.metrics.stage_seconds.labels(stage).observe(value)
        return done.response


def _stopping() -> Refusal:
    return Refusal(503, "the server is stopping; try again in a moment", {"Retry-After": RESTART_SECONDS})
