import os

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
    assert function() == (process, 4)


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
    assert function()[0] != process


def test_closing_ends_the_process_at_once(function):
    process, _ = function()
    function.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_how_a_process_ended_is_known_a_moment_after_another_thread_was_told():
    codes = iter([None, None, -9])

    class PutAwayByAnother:
        join = staticmethod(lambda _: None)
        exitcode = property(lambda _: next(codes, -9))

    assert own_process.how_it_ended(PutAwayByAnother()) == "SIGKILL"
