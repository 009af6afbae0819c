"""A function in a process of its own, which is followed by another process when it has ended or has grown.

What a picture does to that process, in a decoder or in the network, it does to no one else. And TensorFlow, which keeps
something for each shape of picture that it has seen, gives it back only with the process.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import pickle
import signal
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from gsr_tf.answers import memory, own_process
from gsr_tf.errors import UserError

GROWTH = 500_000_000  # bytes since the first call


class Ended(RuntimeError):
    """The process ended while the function was called; the message says how."""


class Child:
    """A function that a process of its own makes once and then calls. One call at a time, others wait.

    The process starts with the first call. Called after it has ended, or has grown by `GROWTH`, it starts another.

    Args:
        make: makes the function, in that process; can be pickled, as must its arguments, results and errors.
    """

    def __init__(self, make: Callable[[], Callable[..., Any]]):
        self._make = make
        self._turn = threading.Lock()
        self._process: multiprocessing.Process | None = None
        self._connection: Connection | None = None
        self._first = 0

    def __call__(self, *arguments: Any) -> Any:
        """What the function returns.

        Raises:
            Ended: the process is no more; the next call starts another.
            UserError, OSError, MemoryError: the function's, or that of `make`.
            RuntimeError: any other of its errors, as text.
        """
        with self._turn:
            if self._process is None:
                self._start()
            try:
                self._connection.send(arguments)
                result, error, held = self._connection.recv()
            except (EOFError, OSError) as lost:
                raise Ended(f"its process ended ({self._exit()})") from lost
            self._first = self._first or held
            if held - self._first > GROWTH:
                self.close()
            if error is not None:
                raise error
            return result

    def close(self) -> None:
        """Ends the process, whatever it does; a later call starts another."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
            self._process = None

    def _start(self) -> None:
        self._process, self._connection = own_process.start(_work, self._make)
        self._first = 0

    def _exit(self) -> str:
        how = own_process.how_it_ended(self._process)
        self.close()
        return how


@functools.cache
def child_of(make: bytes) -> Child:
    """The one child of this process, whatever number of threads it has, with this function; `make` is pickled."""
    return Child(pickle.loads(make))


def _work(connection: Connection, make: Callable[[], Callable[..., Any]]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it decides what Ctrl-C means
    own_process.end_with_parent()
    function = None
    with contextlib.suppress(EOFError):  # nobody has any more use for it
        while True:
            arguments, result, error = connection.recv(), None, None
            try:
                function = function or make()
                result = function(*arguments)
            except (UserError, OSError, MemoryError) as own:
                error = own
            except Exception:
                error = RuntimeError(traceback.format_exc())
            connection.send((result, error, memory.resident()))
