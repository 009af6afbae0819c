"""What a step takes, for TensorBoard: seconds, and those of them spent waiting for input."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator

from gsr_tf.data.batch import Batch


class Clock:
    """Seconds a step, and the share of them spent waiting for input, since it was last read."""

    def __init__(self):
        self._start, self._waited, self._steps = time.perf_counter(), 0.0, 0

    def timed(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The batches, with the time until each one measured."""
        iterator = iter(batches)
        while True:
            asked = time.perf_counter()
            batch = next(iterator, None)
            self._waited += time.perf_counter() - asked
            self._steps += 1
            if batch is None:
                return
            yield batch

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """What is within this takes no time."""
        since = time.perf_counter()
        yield
        self._start += time.perf_counter() - since

    def read(self) -> dict[str, float]:
        """Means since the last reading, for TensorBoard."""
        steps, elapsed, waited = max(1, self._steps), time.perf_counter() - self._start, self._waited
        self._start, self._waited, self._steps = time.perf_counter(), 0.0, 0
        return {"time/step_seconds": elapsed / steps, "time/input_seconds": waited / steps}
