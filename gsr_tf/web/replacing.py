"""A worker that is followed by another one: when it has ended, and when it has grown.

A worker that ends over a picture is replaced at once. One that ended before, while it started or had nothing to do, is
replaced when it is needed, and who needs it does not notice. A model that cannot be loaded, and workers that end like
that one after the other, are errors: nothing better is to be expected of the next one.

TensorFlow keeps, for each shape of picture that it has seen, what it prepared for that shape. A process that sees
pictures of all shapes so grows without an end, and gives nothing back but by ending.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from gsr_tf.web.monitoring import Metrics
from gsr_tf.web.task import Done, Task
from gsr_tf.web.worker import Ended, EndedBefore, Worker

LOG = logging.getLogger("gsr_tf.web")
GROWTH = 300_000_000  # bytes since a worker's first picture: some 30 to 60 shapes at three sizes
IN_A_ROW = 3  # workers that one thing is asked of, each because the one before had ended
Asked = TypeVar("Asked")


class Replaced:
    """One worker at any time, and the next one beside it while that gets warm. `answer` is for one thread at a time.

    Args:
        start: starts a worker.
        metrics: where replacements and memory are counted.
        number: of this place, for the metrics.
    """

    def __init__(self, start: Callable[[], Worker], metrics: Metrics, number: int = 0):
        self._start, self._metrics = start, metrics
        self._resident = metrics.worker_resident.labels(str(number))
        self._lock = threading.Lock()  # held by who uses or changes the worker
        self._worker: Worker = start()
        self._next: Worker | None = None
        self._closed = False

    def model(self) -> dict:
        """What the model is; waits until it is loaded, and raises what kept it from that."""
        with self._lock:
            return self._ask(lambda worker: worker.model.result())

    def warm_up(self) -> None:
        """Waits until the worker has answered once; raises what kept it from that."""
        with self._lock:
            self._resident.set(self._ask(lambda worker: worker.first.result()))

    def answer(self, task: Task) -> Done:
        """The answer of a picture.

        Raises:
            Refusal: the worker's, which is replaced where it ended over the picture.
            UserError, OSError, MemoryError: no worker can be had.
        """
        with self._lock:
            try:
                return self._ask(lambda worker: worker.answer(task))
            except Ended as error:
                if not self._closed:
                    LOG.warning("a worker is replaced: %s", error.detail)
                    self._take(self._next or self._start(), "ended")
                raise
            finally:
                self._resident.set(self._worker.resident)
                if self._worker.growth > GROWTH and not (self._next or self._closed):
                    self._prepare_next()

    def close(self) -> None:
        """Ends all processes; what is at work is lost."""
        self._closed = True
        self._worker.close()  # which lets go of the lock
        with self._lock:
            for worker in filter(None, (self._worker, self._next)):
                worker.close()

    def _ask(self, ask: Callable[[Worker], Asked]) -> Asked:
        """What the worker says; where it had ended before, what the next one says."""
        for _ in range(IN_A_ROW - 1):
            try:
                return ask(self._worker)
            except EndedBefore as error:
                if self._closed:
                    raise
                LOG.warning("a worker is replaced: %s", error)
                self._take(self._next or self._start(), "ended")
        return ask(self._worker)

    def _prepare_next(self) -> None:
        try:
            self._next = self._start()
        except OSError as error:  # the present one goes on
            LOG.error("a worker cannot be started: %s", error)
            return
        threading.Thread(target=self._follow, args=(self._next,), daemon=True).start()

    def _follow(self, following: Worker) -> None:
        """Takes the next worker when it is warm and the present one is between two pictures."""
        error = following.first.exception()
        with self._lock:
            if self._next is not following:  # it was needed before
                return
            if error is None:
                LOG.info("a worker is replaced: it holds %d MB", self._worker.resident // 1_000_000)
                self._take(following, "grown")
            else:
                LOG.error("a worker did not get warm: %s", error)
                following.close()
                self._next = None

    def _take(self, worker: Worker, why: str) -> None:
        self._worker.close()
        self._worker, self._next = worker, None
        if self._closed:  # while it started
            worker.close()
        self._metrics.worker_restarts.labels(why).inc()
