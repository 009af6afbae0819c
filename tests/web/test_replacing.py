"""When a worker is followed by another one; the workers are stand-ins."""

import threading
import time
from concurrent.futures import Future

import pytest

from gsr_tf.errors import UserError
from gsr_tf.web.monitoring import Metrics
from gsr_tf.web.replacing import GROWTH, IN_A_ROW, Replaced
from gsr_tf.web.worker import Ended, EndedBefore


class Worker:
    """Answers with its number, and has grown as a test says."""

    def __init__(self, number):
        self.number, self.first, self.resident, self.growth, self.closed = number, Future(), 0, 0, False
        self.model = Future()
        self.fails = self.is_asked = None

    def answer(self, task):
        if self.is_asked:
            self.is_asked.set()
            assert task.wait(10)
        if self.fails:
            raise self.fails
        return self.number

    def close(self):
        self.closed = True


@pytest.fixture
def started():
    return []


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def place(started, metrics):
    def start():
        started.append(Worker(len(started)))
        return started[-1]

    place = Replaced(start, metrics, number=3)
    started[0].first.set_result(100)
    return place


def until_closed(worker):
    deadline = time.monotonic() + 10
    while not worker.closed:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_one_that_has_grown_works_until_the_next_one_is_warm(place, started, metrics):
    old = started[0]
    old.growth, old.resident = GROWTH, 5
    assert place.answer(None) == 0 and len(started) == 1  # as much as it may
    old.growth += 1
    assert [place.answer(None) for _ in range(3)] == [0, 0, 0]
    assert len(started) == 2 and not old.closed
    started[1].first.set_result(100)
    until_closed(old)  # though nobody asks
    assert place.answer(None) == 1
    said = metrics.text().decode()
    assert 'gsr_tf_worker_restarts_total{why="grown"} 1.0' in said
    assert 'gsr_tf_worker_resident_bytes{worker="3"} 0.0' in said


def test_it_is_not_replaced_while_a_picture_is_at_work(place, started):
    old = started[0]
    old.growth, old.is_asked, go_on = GROWTH + 1, threading.Event(), threading.Event()
    go_on.set()
    place.answer(go_on)
    old.is_asked.clear()
    go_on.clear()
    at_work = threading.Thread(target=place.answer, args=(go_on,))
    at_work.start()
    assert old.is_asked.wait(10)
    started[1].first.set_result(100)
    time.sleep(0.1)
    assert not old.closed
    go_on.set()
    at_work.join(10)
    until_closed(old)


def test_one_that_ended_is_followed_by_the_one_that_is_being_prepared(place, started, metrics):
    started[0].growth = GROWTH + 1
    place.answer(None)
    started[0].fails = Ended(500, "gone")
    with pytest.raises(Ended, match="gone"):
        place.answer(None)
    assert place.answer(None) == 1
    started[1].first.set_result(100)  # which takes nobody's place any more
    time.sleep(0.1)
    assert place.answer(None) == 1 and not started[1].closed and len(started) == 2
    assert 'gsr_tf_worker_restarts_total{why="ended"} 1.0' in metrics.text().decode()


def test_one_that_had_ended_before_is_replaced_and_the_picture_answered(place, started, metrics, caplog):
    started[0].fails = EndedBefore("killed")
    assert [place.answer(None) for _ in range(2)] == [1, 1]
    assert started[0].closed and len(started) == 2
    assert caplog.messages == ["a worker is replaced: killed"]
    assert 'gsr_tf_worker_restarts_total{why="ended"} 1.0' in metrics.text().decode()


@pytest.mark.parametrize("asked", ["model", "first"])
def test_one_that_ends_while_it_starts_is_replaced_though_no_picture_came(metrics, asked):
    started = [Worker(0), Worker(1)]
    getattr(started[0], asked).set_exception(EndedBefore("killed"))
    getattr(started[1], asked).set_result(7)
    place = Replaced(iter(started).__next__, metrics)
    assert (place.model() if asked == "model" else place.warm_up()) == {"model": 7, "first": None}[asked]
    assert started[0].closed and not started[1].closed


def test_workers_that_end_one_after_the_other_are_an_error(metrics, caplog):
    started = []

    def start():
        started.append(Worker(len(started)))
        started[-1].fails = EndedBefore(f"killed {len(started)}")
        return started[-1]

    with pytest.raises(EndedBefore, match=f"killed {IN_A_ROW}"):
        Replaced(start, metrics).answer(None)
    assert len(started) == IN_A_ROW == len(caplog.messages) + 1


def test_what_keeps_the_next_one_from_its_model_is_an_error_at_once(metrics):
    started = [Worker(0), Worker(1)]
    started[0].fails, started[1].fails = EndedBefore("killed"), UserError("no such folder")
    with pytest.raises(UserError, match="no such folder"):
        Replaced(iter(started).__next__, metrics).answer(None)


def test_a_next_one_that_fails_is_tried_again(place, started, caplog):
    started[0].growth = GROWTH + 1
    place.answer(None)
    started[1].first.set_exception(RuntimeError("no memory"))
    until_closed(started[1])
    assert "a worker did not get warm: no memory" in caplog.text
    assert place.answer(None) == 0 and not started[0].closed
    assert len(started) == 3


def test_a_next_one_that_cannot_be_started_costs_no_answer(metrics, caplog):
    def start():
        if started:
            raise OSError("no process more")
        started.append(Worker(0))
        return started[0]

    started = []
    place = Replaced(start, metrics)
    started[0].growth = GROWTH + 1
    assert [place.answer(None) for _ in range(2)] == [0, 0] and not started[0].closed
    assert caplog.messages == 2 * ["a worker cannot be started: no process more"]


def test_when_closed_nothing_is_started(place, started):
    started[0].growth = GROWTH + 1
    place.answer(None)
    place.close()
    assert started[0].closed and started[1].closed
    for gone in (Ended(500, "gone"), EndedBefore("gone")):
        started[0].fails = gone
        for _ in range(2):
            with pytest.raises(type(gone)):
                place.answer(None)
    assert len(started) == 2


def test_one_that_is_started_while_all_is_closed_is_closed(metrics):
    started = []

    def start():
        if started:
            place._closed = True  # as `close` does, which then waits
        started.append(Worker(len(started)))
        started[-1].fails = EndedBefore("killed")
        return started[-1]

    place = Replaced(start, metrics)
    with pytest.raises(EndedBefore):
        place.answer(None)
    assert len(started) == 2 and started[1].closed
