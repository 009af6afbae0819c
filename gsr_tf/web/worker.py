"""A process of its own that holds a detector and answers one picture after the other.

What a picture does to it, in the decoder or in the network, it does to no one else: it may be ended at any time.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import numpy as np

from gsr_tf.answers import memory, own_process
from gsr_tf.errors import UserError
from gsr_tf.inference.device import choose
from gsr_tf.web.limits import Limits
from gsr_tf.web.model import describe
from gsr_tf.web.refusal import Refusal
from gsr_tf.web.task import Done, Task, carry_out

if TYPE_CHECKING:
    from gsr_tf.inference.detector import Detector

LOG = logging.getLogger("gsr_tf.web")
WARM_UP = np.zeros([64, 64, 3], np.uint8)


class Ended(Refusal):
    """The worker is no more; the message is for whose picture it was at."""


class EndedBefore(UserError):
    """The worker is no more, and no picture is to blame: it ended while it started, or had nothing to do."""


class Worker:
    """The process, seen from the server. `answer` is for one thread at a time.

    Args:
        load: makes the detector, in that process: a function that a module names, or a partial of one.
        limits: of pictures; its `picture_seconds` is how long one may take.

    Attributes:
        model: what `describe` says of the detector, once that is loaded; or what kept it from that.
        first: bytes of memory that the process held after its first picture, a warm-up; or what kept it from that.
        resident: bytes that it held after the latest picture.
    """

    def __init__(self, load: Callable[[], Detector], limits: Limits):
        self._limits = limits
        with _signals_blocked():
            self._process, self._connection = own_process.start(_work, load, limits)
        self.model: Future[dict] = Future()
        self.first: Future[int] = Future()
        self.resident = 0
        threading.Thread(target=self._follow_start, daemon=True).start()

    @property
    def growth(self) -> int:
        """Bytes that it held more after the latest picture than after the first."""
        return self.resident - self.first.result() if self.resident else 0

    def answer(self, task: Task) -> Done:
        """The answer of a picture, when the process is warm.

        Raises:
            Refusal: the task's.
            Ended: the process ended over it, or was ended because it took too long.
            EndedBefore: the process had ended before; another one may answer.
            UserError, OSError, MemoryError: what kept the process from its model.
        """
        self.first.result()
        try:
            self._connection.send(task)
            self._hear_in_time()  # that it has it: only then may the picture be to blame
        except (EOFError, OSError) as error:
            how = own_process.how_it_ended(self._process)
            raise EndedBefore(f"a worker ended while it had nothing to do ({how})") from error
        try:
            outcome, self.resident = self._hear_in_time()
        except (EOFError, OSError) as error:
            how = own_process.how_it_ended(self._process)
            raise Ended(
                500,
                f"the process that looked at this picture ended ({how}); the picture may be damaged, or need more "
                "memory than there is",
            ) from error
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    def close(self) -> None:
        """Ends the process, whatever it does: it keeps nothing."""
        self._process.kill()
        self._process.join()

    def _hear_in_time(self) -> Any:
        """What the process says next; Ended, also for the process, when a picture's time is over."""
        if not self._connection.poll(self._limits.picture_seconds):
            self.close()
            seconds = f"{self._limits.picture_seconds:g} s"
            raise Ended(504, f"the picture took longer than {seconds}, the limit (--picture_seconds)")
        return self._connection.recv()

    def _follow_start(self) -> None:
        said = None
        for told in (self.model, self.first):
            if not isinstance(said, Exception):  # what kept it from its model kept it from its first picture
                said = self._hear()
            if isinstance(said, Exception):
                told.set_exception(said)
            else:
                told.set_result(said)

    def _hear(self) -> dict | int | Exception:
        """What the process says next while it starts."""
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            how = own_process.how_it_ended(self._process)
            why = "is there enough memory?" if how.startswith("SIG") else "what it printed says more"
            return EndedBefore(f"a worker ended before it was warm ({how}); {why}")


def load_detector(saved_model: str | None, scales: Sequence[float] | None, device: str, precision: str) -> Detector:
    """A detector on a device; the arguments are those of `serve`'s flags."""
    from gsr_tf.inference.detector import Detector  # TensorFlow, which only this process needs

    choose(device, precision)
    detector = Detector.load(saved_model)
    detector.scales = tuple(scales or detector.scales)
    return detector


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """For a process that is started within: Ctrl-C in a terminal reaches all processes, and this one has to finish."""
    told = {signal.SIGINT, signal.SIGTERM}
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # it would unblock them
    before = signal.pthread_sigmask(signal.SIG_BLOCK, told)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(connection: Connection, load: Callable[[], Detector], limits: Limits) -> None:
    """The process's life: says what its model is, then what it holds after a first picture, then answers."""
    own_process.end_with_parent()
    memory.keep_large_blocks_apart()
    try:
        detector = load()
        connection.send(describe(detector))
        detector.segment(WARM_UP)
        connection.send(memory.resident())
    except (UserError, OSError, MemoryError) as error:
        connection.send(error)
        return
    with contextlib.suppress(EOFError):  # the server has no more use for this process
        while True:
            outcome = _outcome(_taken(connection), detector, limits)
            connection.send((outcome, memory.resident()))


def _taken(connection: Connection) -> Task:
    task = connection.recv()
    connection.send(None)  # what ends this process from here on may be the picture
    return task


def _outcome(task: Task, detector: Detector, limits: Limits) -> Done | Refusal:
    try:
        return carry_out(task, detector, limits)
    except Refusal as refusal:  # without what led to it, which holds the picture
        return Refusal(refusal.status_code, refusal.detail, refusal.headers)
    except Exception:
        LOG.exception("a defect")
        return Refusal(500, "a defect of the server; its log says more")
