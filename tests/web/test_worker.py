"""Workers as processes: what they answer, what they survive, and that none is left."""

import contextlib
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest

from gsr_tf.inference.metadata import DetectorError
from gsr_tf.web import answer
from gsr_tf.web.limits import Limits
from gsr_tf.web.model import describe
from gsr_tf.web.monitoring import Metrics
from gsr_tf.web.refusal import Refusal
from gsr_tf.web.replacing import Replaced
from gsr_tf.web.task import Task, carry_out
from gsr_tf.web.worker import Ended, EndedBefore, Worker
from tests.web import scripted
from tests.web.conftest import red_detector

LIMITS = Limits(picture_seconds=5)
RESPOND = partial(answer.respond, depth="16", max_side=0, preview=True)
SERVE = """
import sys
from gsr_tf import serve
from gsr_tf.web import worker
from tests.web import scripted
worker.load_detector = scripted.{load}
sys.exit(serve.main(["serve", "--port=0", "--queue=2"]))
"""


def task(width=50, data=None):
    asked = {"threshold": None, "resolution": "whole"}
    return Task(scripted.picture(width) if data is None else data, asked, RESPOND)


def without_seconds(done):
    return {**json.loads(done.response.body), "seconds": None}


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(holds, seconds=20):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_process_answers_as_this_one_does_and_what_ends_it_ends_one_picture():
    metrics = Metrics()
    with contextlib.closing(Replaced(partial(Worker, scripted.load, LIMITS), metrics)) as place:
        here = red_detector()
        assert place.model() == describe(here)
        expected = carry_out(task(), here, LIMITS)
        done = place.answer(task())
        assert without_seconds(done) == without_seconds(expected)
        assert set(done.seconds) == {"decode", "network", "encode"}
        with pytest.raises(Refusal, match="not a picture") as refused:
            place.answer(task(data=b"no picture"))
        assert refused.value.status_code == 422
        assert 'restarts_total{why="ended"}' not in metrics.text().decode()

        with pytest.raises(Ended, match=re.escape("ended (SIGSEGV)")) as ended:
            place.answer(task(scripted.CRASHES))
        assert ended.value.status_code == 500
        assert without_seconds(place.answer(task())) == without_seconds(expected)

        with pytest.raises(Ended, match=re.escape("longer than 5 s, the limit (--picture_seconds)")) as ended:
            place.answer(task(scripted.HANGS))
        assert ended.value.status_code == 504
        said = metrics.text().decode()
        assert 'gsr_tf_worker_restarts_total{why="ended"} 2.0' in said


def kill_all():
    for process in multiprocessing.active_children():
        process.kill()
        process.join()


def test_one_that_is_killed_while_it_starts_or_idles_costs_no_picture(caplog):
    with contextlib.closing(Replaced(partial(Worker, scripted.load, LIMITS), Metrics())) as place:
        kill_all()
        expected = without_seconds(place.answer(task()))
        kill_all()
        assert without_seconds(place.answer(task())) == expected
        (process,) = multiprocessing.active_children()
        os.kill(process.pid, signal.SIGSTOP)  # it ends with the picture on its way, which it never sees
        threading.Timer(0.3, process.kill).start()
        assert without_seconds(place.answer(task())) == expected
    assert caplog.messages == [
        "a worker is replaced: a worker ended before it was warm (SIGKILL); is there enough memory?",
        *2 * ["a worker is replaced: a worker ended while it had nothing to do (SIGKILL)"],
    ]


def test_what_kept_a_worker_from_its_model_is_told_whatever_is_asked():
    workers = [Worker(load, LIMITS) for load in (scripted.load_nothing, partial(os._exit, 3))]
    told = [[(type(asked.exception()), str(asked.exception())) for asked in (one.model, one.first)] for one in workers]
    for one in workers:
        one.close()
    assert [one == other for one, other in told] == [True, True]
    (wrong, says), (ended, how) = told[0][0], told[1][0]
    assert wrong is DetectorError and "--saved_model=/nix" in says
    assert (ended, how) == (EndedBefore, "a worker ended before it was warm (exit code 3); what it printed says more")


@contextlib.contextmanager
def command(load="load"):
    """(process, url, pids of its workers) of `serve` with a scripted detector, ready."""
    root = Path(__file__).resolve().parents[2]
    line = [sys.executable, "-c", SERVE.format(load=load)]
    process = subprocess.Popen(line, cwd=root, stdout=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().split()[0]
        until(lambda: httpx.get(f"{url}/healthz").status_code == 200)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert children
        yield process, url, children
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(not Path("/proc").exists(), reason="asks Linux for a process's children")
def test_told_to_stop_it_finishes_what_is_at_work_and_leaves_no_process():
    with command() as (process, url, children), ThreadPoolExecutor(2) as others:
        ask = partial(httpx.post, f"{url}/v1/segment?maps=none", content=scripted.picture(scripted.SLOW), timeout=20)
        at_work = others.submit(ask)
        until(lambda: "gsr_tf_at_work 1.0" in httpx.get(f"{url}/metrics").text)
        waiting = others.submit(ask)
        until(lambda: "gsr_tf_admitted 2.0" in httpx.get(f"{url}/metrics").text)
        for pid in [process.pid, *map(int, children)]:  # as a terminal or systemd tells all of them
            os.kill(pid, signal.SIGTERM)
        assert waiting.result().status_code == 503
        assert int(waiting.result().headers["Retry-After"]) > 0
        assert at_work.result().status_code == 200
        assert process.wait(20) == -signal.SIGTERM
        until(lambda: not any(map(is_alive, children)))


@pytest.mark.skipif(not Path("/proc").exists(), reason="asks Linux for a process's libraries")
def test_only_workers_hold_tensorflow():
    with command("load_with_tensorflow") as (process, url, children):
        assert httpx.post(f"{url}/v1/segment", content=scripted.picture(), timeout=20).status_code == 200
        (worker,) = (pid for pid in children if "--multiprocessing-fork" in Path(f"/proc/{pid}/cmdline").read_text())
        libraries = [Path(f"/proc/{pid}/maps").read_text() for pid in (process.pid, worker)]
        assert ["libtensorflow" in one for one in libraries] == [False, True]


@pytest.mark.skipif(not Path("/proc").exists(), reason="asks Linux for a process's children")
def test_no_worker_outlives_a_server_that_is_killed():
    with command() as (process, url, children), ThreadPoolExecutor(1) as other:
        other.submit(httpx.post, f"{url}/v1/segment", content=scripted.picture(scripted.HANGS), timeout=60)
        until(lambda: "gsr_tf_at_work 1.0" in httpx.get(f"{url}/metrics").text)
        process.kill()
        until(lambda: not any(map(is_alive, children)))
