"""One function over many items, in worker processes."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from data_prep.reading.entries import PreparationError

REMEDY = "give fewer --processes, or the machine more memory"

Item = TypeVar("Item")
Result = TypeVar("Result")


def _start_worker(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: int) -> None:
    """Ends this worker when its parent was killed: nobody else would."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def in_processes(
    function: Callable[[Item], Result], items: Sequence[Item], processes: int, *, at_once: int = 1
) -> Iterator[Result]:
    """The function's result for every item, in order, computed by `processes` worker processes.

    On an interruption the items being worked on are finished, the others are given up.

    Args:
        function: can be pickled.
        items: can be pickled.
        processes: 1: in this process.
        at_once: how many items a worker is handed at a time.

    Raises:
        PreparationError: workers cannot be started, one died, or there was not enough memory.
    """
    try:
        if processes == 1 or len(items) <= at_once:
            yield from map(function, items)
        else:
            yield from _by_workers(function, items, processes, at_once)
    except MemoryError as error:
        raise PreparationError(f"memory ran out: {error or 'nothing is known of where'}; {REMEDY}") from error
    except BrokenProcessPool as error:
        raise PreparationError(
            f"a worker process was killed, as a system does when memory runs out; {REMEDY}"
        ) from error


def _by_workers(
    function: Callable[[Item], Result], items: Sequence[Item], processes: int, at_once: int
) -> Iterator[Result]:
    gc.freeze()  # or the workers' collectors would touch, and so copy, every object that they share with this process
    try:
        # Forked workers have TensorFlow imported already; they use its record writer, never its graphs and threads.
        try:
            executor = ProcessPoolExecutor(
                processes,
                mp_context=multiprocessing.get_context("fork"),
                initializer=_start_worker,
                initargs=(os.getpid(),),
            )
            results = executor.map(function, items, chunksize=at_once)
        except OSError as error:
            raise PreparationError(
                f"--processes={processes}: worker processes cannot be started ({error.strerror}); they need a /dev/shm "
                "that can be written, and --processes=1 does not"
            ) from error
        with executor:
            yield from results
    finally:
        gc.unfreeze()
