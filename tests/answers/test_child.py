import errno
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gsr_tf.answers import child, own_process
from gsr_tf.answers.child import Child, Ended
from gsr_tf.errors import UserError

HELD = []


class Known(UserError):
    """An error that a user can mend."""


def calling():
    """A function that says in which process it is, and how often it was called there."""
    calls = []

    def call(what=None):
        calls.append(what)
        if what == "end":
            os._exit(7)
        if what == "known":
            raise Known("the picture is no picture")
        if what == "defect":
            raise ZeroDivisionError("a defect")
        if what == "full":
            raise OSError(errno.ENOSPC, "No space left on device", "a.png")
        if what == "much":
            raise MemoryError("too large a picture")
        if what == "wait":
            time.sleep(600)
        if what == "grow":
            HELD.append(b"x" * 60_000_000)
        return os.getpid(), len(calls)

    return call


def unable():
    raise Known("no such model")


@pytest.fixture
def function():
    made = Child(calling)
    yield made
    made.close()


def test_a_function_is_made_once_in_a_process_of_its_own(function):
    process, count = function()
    assert process != os.getpid() and count == 1
    assert function() == (process, 2)


def test_a_process_that_ended_is_followed_by_another(function):
    first, _ = function()
    with pytest.raises(Ended, match="exit code 7"):
        function("end")
    second, count = function()
    assert second != first and count == 1


def test_errors_are_told_and_end_no_process(function):
    process, _ = function()
    with pytest.raises(Known, match="^the picture is no picture$"):
        function("known")
    with pytest.raises(RuntimeError, match=r"(?s)test_child.py.*ZeroDivisionError: a defect"):
        function("defect")
    with pytest.raises(OSError, match="'a.png'$") as full:
        function("full")
    assert full.value.errno == errno.ENOSPC
    with pytest.raises(MemoryError, match="^too large a picture$"):
        function("much")
    assert function() == (process, 6)


def test_a_process_that_ended_between_two_calls_is_told_and_followed_by_another(function):
    first, _ = function()
    os.kill(first, signal.SIGKILL)
    function._process.join()
    with pytest.raises(Ended, match="SIGKILL"):
        function()
    assert function()[0] != first


def test_ctrl_c_is_for_who_started_it(function):
    process, _ = function()
    os.kill(process, signal.SIGINT)
    assert function() == (process, 2)


def test_threads_share_a_process_and_take_turns(function):
    before = multiprocessing.active_children()
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(function, range(4)))
    (started,) = set(multiprocessing.active_children()) - set(before)
    assert {process for process, _ in answers} == {started.pid}
    assert sorted(count for _, count in answers) == [1, 2, 3, 4]


def test_of_one_function_a_process_has_one_child():
    one, other = (child.child_of(pickle.dumps(make)) for make in (calling, unable))
    assert child.child_of(pickle.dumps(calling)) is one is not other


def test_what_cannot_be_made_is_told():
    made = Child(unable)
    try:
        with pytest.raises(Known, match="no such model"):
            made()
    finally:
        made.close()


def test_a_process_that_has_grown_is_followed_by_another(function, monkeypatch):
    monkeypatch.setattr(child, "GROWTH", 40_000_000)
    process, _ = function()
    assert function() == (process, 2)
    assert function("grow") == (process, 3)
    second, _ = function("grow")
    assert second != process
    assert function() == (second, 2)  # what it held after its first call is its own


def test_closing_ends_the_process_at_once(function):
    process, _ = function()
    function.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


PARENT = """
import os, threading
from gsr_tf.answers.child import Child
from tests.answers.test_child import calling
function = Child(calling)
print(function()[0], flush=True)
threading.Thread(target=function, args=["wait"], daemon=True).start()
"""


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", ""], ids=["killed", "at its end"])
def test_a_process_ends_with_the_one_that_started_it_whatever_it_does(end):
    ran = subprocess.run([sys.executable, "-c", PARENT + end], stdout=subprocess.PIPE, timeout=60)
    until = time.monotonic() + 10
    while Path("/proc", ran.stdout.decode().strip()).exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert time.monotonic() < until


def test_how_a_process_ended_is_known_a_moment_after_another_thread_was_told():
    codes = iter([None, None, -9])

    class PutAwayByAnother:
        join = staticmethod(lambda _: None)
        exitcode = property(lambda _: next(codes, -9))

    assert own_process.how_it_ended(PutAwayByAnother()) == "SIGKILL"
