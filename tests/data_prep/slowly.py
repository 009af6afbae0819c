"""A process that prepares records so slowly that a test can meet it at work."""

import contextlib
import multiprocessing
import threading
import time

import pytest
from tqdm import tqdm

from data_prep.writing import shards


@contextlib.contextmanager
def preparing(prepare, seconds):
    """The process that calls `prepare`, each picture of which takes so many seconds more; killed at the end."""
    make_example = shards.make_example

    def slowly(entry):
        time.sleep(seconds)
        return make_example(entry)

    def alone():
        tqdm.set_lock(threading.RLock())  # its own is shared with the process that forked, which would wait for ever
        raise SystemExit(prepare())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "make_example", slowly)
        process = multiprocessing.get_context("fork").Process(target=alone)
        process.start()
    yield process
    process.kill()
    process.join()
