"""Who says nothing, who is slow, and what happens to those who wait when the server stops."""

import contextlib
import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import numpy as np
import pytest

from gsr_tf.errors import UserError
from gsr_tf.serve import listen
from gsr_tf.web import server
from gsr_tf.web.app import create_app
from gsr_tf.web.limits import Limits
from gsr_tf.web.monitoring import Metrics
from gsr_tf.web.refusal import Refusal
from gsr_tf.web.service import Service
from tests.web.conftest import Here, client_of, red_detector, running, serving
from tests.web.pictures import blotches, encoded
from tests.web.test_refusals import Gate, half_sent, said, until_metrics_say

PICTURE = encoded(blotches(40, 50))
HEAD = b"POST /v1/segment?maps=none HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(PICTURE)


def seconds_until_closed(connection):
    start = time.monotonic()
    with contextlib.suppress(ConnectionResetError):
        assert connection.recv(1000) == b""
    return time.monotonic() - start


@pytest.mark.parametrize("beginning", [b"", b"GET / HTTP/1.1\r\nHost: loc"], ids=["nothing", "half"])
def test_a_silent_connection_is_closed(monkeypatch, beginning):
    monkeypatch.setattr(server, "SILENCE_SECONDS", 0.5)
    with running(red_detector()) as address, socket.create_connection(address, timeout=10) as connection:
        connection.sendall(beginning)
        assert 0.3 < seconds_until_closed(connection) < 5


def test_headers_in_drops_are_not_waited_for(monkeypatch):
    monkeypatch.setattr(server, "SILENCE_SECONDS", 0.5)
    with running(red_detector()) as address, socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        with pytest.raises(OSError):
            for number in range(50):
                connection.sendall(b"X-%d: x\r\n" % number)
                time.sleep(0.1)


def test_a_request_that_takes_longer_than_silence_may_is_answered(monkeypatch):
    monkeypatch.setattr(server, "SILENCE_SECONDS", 0.3)
    with running(red_detector()) as address, socket.create_connection(address, timeout=10) as connection:
        connection.sendall(HEAD)
        time.sleep(0.6)
        connection.sendall(PICTURE)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


@contextlib.contextmanager
def asked_for_much(address, requests):
    """A connection that has sent requests, and is told little at a time of what its reader has not read."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect(address)
        connection.sendall(requests)
        yield connection


def read_slowly(connection, count, seconds):
    """Bytes read until there are so many, or the connection is closed; 4096 at most each time."""
    found = 0
    while found < count and (piece := connection.recv(4096)):
        found += len(piece)
        time.sleep(seconds)
    return found


LARGE = encoded(np.random.default_rng(0).integers(0, 256, [900, 900, 3], np.uint8))
ASK_LARGE = b"POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(LARGE) + LARGE
ASK_SMALL = b"GET /v1/model HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("requests", [ASK_LARGE, ASK_SMALL * 40, ASK_SMALL * 400], ids=["large", "some", "many"])
def test_an_answer_that_nobody_reads_is_given_up(monkeypatch, requests):
    monkeypatch.setattr(server, "UNREAD_SECONDS", 1)
    told = []
    with running(red_detector(), told=told) as address, asked_for_much(address, requests) as connection:
        assert connection.recv(12) == b"HTTP/1.1 200"
        start = time.monotonic()
        while told[0].server_state.connections:
            time.sleep(0.05)
            assert time.monotonic() - start < 10
        assert time.monotonic() - start > 0.5


def test_who_reads_slowly_gets_all_of_a_large_answer(monkeypatch):
    monkeypatch.setattr(server, "UNREAD_SECONDS", 2)
    with running(red_detector()) as address, asked_for_much(address, ASK_LARGE) as connection:
        head, _, body = connection.recv(4096).partition(b"\r\n\r\n")
        size = int(re.search(rb"content-length: (\d+)", head)[1])
        assert size > 2_000_000
        slow = read_slowly(connection, 250_000, seconds=0.05)
        rest = read_slowly(connection, size - len(body) - slow, seconds=0)
        assert len(body) + slow + rest == size


def test_slow_bodies_keep_nobody_out():
    with client_of(red_detector(), workers=1, queue=0) as client, contextlib.ExitStack() as slow:
        for _ in range(5):
            slow.enter_context(half_sent((client.base_url.host, client.base_url.port)))
        until_metrics_say(client, "gsr_tf_uploading 5.0")
        assert client.post("/v1/segment?maps=none", content=PICTURE).status_code == 200


def test_bodies_on_their_way_are_bounded_together():
    with client_of(red_detector(), workers=1, queue=0, upload_bytes=100_000) as client:
        with socket.create_connection((client.base_url.host, client.base_url.port)) as other:
            other.sendall(b"POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n")
            other.sendall(bytes(99_000))
            until_metrics_say(client, "gsr_tf_uploading 1.0")
            time.sleep(0.2)
            refused = client.post("/v1/segment", content=bytes(50_000))
            assert "too many pictures on their way" in said(refused, 503)
            assert int(refused.headers["Retry-After"]) > 0
        until_metrics_say(client, "gsr_tf_uploading 0.0")
        assert client.post("/v1/segment?maps=none", content=PICTURE).status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip"])
def test_compressed_bodies_are_refused(client, encoding):
    refused = client.post("/v1/segment", content=PICTURE, headers={"Content-Encoding": encoding})
    assert f"Content-Encoding '{encoding}': expected the picture file as it is" in said(refused, 415)
    identity = {"Content-Encoding": "identity"}
    assert client.post("/v1/segment?maps=none", content=PICTURE, headers=identity).status_code == 200


def test_told_to_stop_while_it_starts_it_does_not_wait_for_the_model(caplog):
    closed = threading.Event()

    class Starting(Here):
        def warm_up(self):
            assert closed.wait(30)
            raise Refusal(500, "closed")

        def answer(self, task):
            self.warm_up()

        def close(self):
            closed.set()

    limits = Limits()
    with (
        serving([Starting(red_detector(), limits)], limits) as ((host, port), server),
        ThreadPoolExecutor(1) as other,
    ):
        asking = other.submit(httpx.post, f"http://{host}:{port}/v1/segment", content=PICTURE, timeout=20)
        with httpx.Client(base_url=f"http://{host}:{port}") as client:
            until_metrics_say(client, "gsr_tf_at_work 1.0")
        server.should_exit = True
        assert "the server is stopping" in said(asking.result(), 503)
    assert "the model does not answer" not in caplog.text


@contextlib.contextmanager
def ends_with(error, words, worker, limits):
    """(service, address) of a server that is run at the end of the context, and ends with an error that says why."""
    service = Service([worker], limits, Metrics())
    with listen("127.0.0.1", 0) as listener:
        yield service, listener.getsockname()
        with pytest.raises(error, match=words):
            server.Server(create_app(service, [], ""), service, log_level="critical").run(sockets=[listener])
    assert service.status == "failed"


def test_a_server_whose_first_picture_fails_says_why_and_ends(caplog):
    with ends_with(KeyError, "probability", Here(red_detector(lambda image: {}), Limits()), Limits()):
        pass
    assert "the model does not answer, and the server ends: 'probability'" in caplog.text


def test_when_no_worker_can_be_had_who_asks_is_told_and_the_server_ends(caplog):
    class Gone(Here):
        def answer(self, task):
            with httpx.Client(base_url=url) as client:
                until_metrics_say(client, "gsr_tf_admitted 2.0")
            raise UserError("no such folder")

    limits = Limits(workers=1)
    with ThreadPoolExecutor(2) as visitors:
        with ends_with(UserError, "no such folder", Gone(red_detector(), limits), limits) as (service, (host, port)):
            url = f"http://{host}:{port}"
            ask = partial(httpx.post, f"{url}/v1/segment?maps=none", content=PICTURE, timeout=20)
            asking = [visitors.submit(ask) for _ in range(2)]
        asked, waiting = sorted((one.result() for one in asking), key=lambda answer: answer.status_code)
    assert "the model does not answer; the server's log says more" in said(asked, 500)
    assert "the server is stopping" in said(waiting, 503)
    assert "the model does not answer, and the server ends: no such folder" in caplog.text


def test_a_worker_that_loaded_another_model_answers_nobody_and_the_server_ends():
    class Exchanged(Here):
        def answer(self, task):
            self.detector = red_detector(fingerprint="f2")
            return super().answer(task)

    limits, words = Limits(), r"another model than the server began with \(fingerprint f2, not f1\)"
    with ThreadPoolExecutor(1) as visitor:
        with ends_with(UserError, words, Exchanged(red_detector(), limits), limits) as (_, (host, port)):
            asking = visitor.submit(httpx.post, f"http://{host}:{port}/v1/segment", content=PICTURE, timeout=20)
        assert "the model does not answer; the server's log says more" in said(asking.result(), 500)


def test_when_it_stops_who_waits_is_told_and_what_is_at_work_is_finished():
    gate, told = Gate(), []
    with running(red_detector(gate), told=told, workers=1, queue=2) as (host, port), ThreadPoolExecutor(2) as others:
        url = f"http://{host}:{port}"
        ask = partial(httpx.post, f"{url}/v1/segment?maps=none", content=PICTURE, timeout=20)
        at_work = others.submit(ask)
        gate.started.acquire(timeout=10)
        waiting = others.submit(ask)
        with httpx.Client(base_url=url) as client:
            until_metrics_say(client, "gsr_tf_admitted 2.0")
        with half_sent((host, port)) as sending:
            time.sleep(0.2)
            told[0].should_exit = True
            refused = waiting.result()
            assert "the server is stopping" in said(refused, 503)
            assert int(refused.headers["Retry-After"]) > 0
            head, _, body = sending.recv(5000).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 ")
            assert json.loads(body or sending.recv(5000))["error"]["status"] == 503
        assert not at_work.done()
        gate.open.set()
        assert at_work.result().status_code == 200


def test_a_picture_that_outlasts_the_grace_is_told_to_ask_again(monkeypatch):
    monkeypatch.setattr(server, "GRACE_SECONDS", 1)
    gate, told = Gate(), []
    with running(red_detector(gate), told=told) as (host, port), ThreadPoolExecutor(1) as other:
        at_work = other.submit(httpx.post, f"http://{host}:{port}/v1/segment", content=PICTURE, timeout=20)
        gate.started.acquire(timeout=10)
        told[0].should_exit = True
        refused = at_work.result()
        gate.open.set()
    assert "the server is stopping" in said(refused, 503)
    assert int(refused.headers["Retry-After"]) > 0
