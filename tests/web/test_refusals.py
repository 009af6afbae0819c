"""What is not answered, and how that is said."""

import contextlib
import http.client
import json
import resource
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import numpy as np
import pytest

from gsr_tf.answers import memory
from gsr_tf.data.decoding.cost import SMALL as SMALL_BYTES
from gsr_tf.data.pictures import decode_picture
from gsr_tf.web import task
from gsr_tf.web.limits import Limits
from tests.damage import damaged_pictures
from tests.web.conftest import client_of, red_and_green, red_detector, running
from tests.web.pictures import blotches, encoded

PICTURE = encoded(blotches(40, 50))
SMALL = {"upload_bytes": 100_000, "pixels": 10_000, "upload_seconds": 0.5}


def said(response, status):
    """The message of an error of this status."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["status"] == status
    return error["message"]


@pytest.mark.parametrize("path", ["/v1/segment", "/v1/report"])
@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"", 422, "the file is empty"),
        (b"no picture", 422, "not a picture"),
        (PICTURE[: len(PICTURE) // 2], 422, "truncated or damaged"),
        (encoded(blotches(101, 100)), 413, "100x101 pixels, more than the limit of 10,000"),
        (encoded(blotches(2, 41)), 422, "at most 20 times the short"),
        (bytes(100_001), 413, "larger than 0.1 MB, the limit (--max_megabytes)"),
        (iter([bytes(60_000), bytes(60_000)]), 413, "larger than 0.1 MB"),
    ],
    ids=["empty", "words", "cut", "pixels", "sliver", "bytes", "bytes unannounced"],
)
def test_pictures_that_are_refused(path, content, status, words):
    if not isinstance(content, bytes):
        content = iter([bytes(60_000), bytes(60_000)])
    with client_of(red_detector(), **SMALL) as client:
        assert words in said(client.post(path, content=content), status)


def test_what_takes_long_is_bounded_more_tightly():
    with client_of(red_detector(), tile_pixels=1_000) as client:
        fine = {"resolution": "tile"}
        assert "50x40 pixels, more than the 1,000 that" in said(
            client.post("/v1/segment", content=PICTURE, params=fine), 413
        )
        assert client.post("/v1/segment", content=PICTURE).status_code == 200


def test_a_model_that_can_only_see_whole_pictures_says_so(client):
    refused = client.post("/v1/segment", content=PICTURE, params={"resolution": "tile"})
    assert "this model can only see a whole picture" in said(refused, 422)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"resolution": "fine"}, "query.resolution: Input should be 'whole' or 'tile'"),
        ({"threshold": "1.5"}, "query.threshold: Input should be less than or equal to 1"),
        ({"threshold": "half"}, "query.threshold"),
        ({"maps": "12"}, "query.maps: Input should be '8', '16' or 'none'"),
        ({"max_side": "-1"}, "query.max_side"),
        ({"max_side": "1" + 400 * "0"}, "query.max_side: Input should be less than or equal to 100000"),
    ],
)
def test_wrong_parameters(client, parameters, words):
    assert words in said(client.post("/v1/segment", content=PICTURE, params=parameters), 422)


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/v1/segment", "threshold, resolution, maps, max_side, preview"),
        ("/v1/report", "format, threshold, resolution, name"),
    ],
)
def test_unknown_parameters_are_named_with_the_known_ones(client, path, known):
    wrong = {"treshold": "0.9", "resolution": "whole", "scales": ".75,1", 81 * "x": ""}
    refused = client.post(path, content=PICTURE, params=wrong)
    assert said(refused, 422) == f"no parameter 'treshold', 'scales', '{80 * 'x'}'; there are {known}"


def test_a_parameter_given_twice_is_no_choice(client):
    refused = client.post("/v1/segment?threshold=.3&threshold=.9&preview=true", content=PICTURE)
    assert said(refused, 422) == "threshold: given more than once; expected one value"


def test_a_form_is_told_to_send_the_file_itself(client):
    message = said(client.post("/v1/segment", files={"file": PICTURE}), 415)
    assert "curl --data-binary" in message


@pytest.mark.parametrize(
    "media_type", [None, "image/jpeg", "application/octet-stream", "application/x-www-form-urlencoded"]
)
def test_types_of_a_picture(client, media_type):
    headers = {} if media_type is None else {"Content-Type": media_type}
    assert client.post("/v1/segment", content=PICTURE, headers=headers).status_code == 200


def test_unknown_paths_and_methods(client):
    assert said(client.get("/v2"), 404) == "Not Found"
    assert said(client.get("/v1/segment"), 405) == "Method Not Allowed"
    assert said(client.get("/static/../app.py"), 404)
    assert said(client.get("/static/%2e%2e/app.py"), 404)


def failing(error):
    """A detector that a picture is too much for, but not the warm-up, which is black."""

    def fail(image):
        if np.any(image):
            raise error
        return red_and_green(image)

    return red_detector(fail)


def test_a_defect_says_nothing_of_the_inside():
    with client_of(failing(RuntimeError("secret"))) as client:
        response = client.post("/v1/segment", content=PICTURE)
        assert said(response, 500) == "a defect of the server; its log says more"
        assert "Content-Security-Policy" in response.headers


def test_too_little_memory():
    with client_of(failing(MemoryError())) as client:
        assert "more memory" in said(client.post("/v1/segment", content=PICTURE), 503)


@pytest.mark.skipif(not memory.PAGE, reason="the bound needs Linux")
def test_a_picture_that_takes_too_much_memory_to_decode(monkeypatch):
    unbounded = resource.getrlimit(resource.RLIMIT_AS)

    def decode(data, max_pixels):
        bytearray(2 * Limits.decode_bytes)  # asked for, and never touched
        return decode_picture(data, max_pixels=max_pixels)

    with client_of(red_detector()) as client:
        assert client.post("/v1/segment", content=PICTURE).status_code == 200
        monkeypatch.setattr(task, "decode_picture", decode)
        words = said(client.post("/v1/segment", content=PICTURE), 413)
        assert (
            "takes more than its header says, above the limit of 400.0 MB of memory (--max_decode_megabytes)" in words
        )
        assert resource.getrlimit(resource.RLIMIT_AS) == unbounded


def test_what_by_its_header_takes_too_much_memory_is_not_decoded(monkeypatch):
    def decode(data, max_pixels):
        raise AssertionError("decoded")

    pixels = blotches(512, 512)  # 1 MB of four bytes each; a progressive JPEG's coefficients are 0.8 MB more
    with client_of(red_detector(), decode_bytes=SMALL_BYTES + 1_500_000) as client:
        assert client.post("/v1/segment", content=encoded(pixels, "JPEG")).status_code == 200
        monkeypatch.setattr(task, "decode_picture", decode)
        refused = client.post("/v1/segment", content=encoded(pixels, "JPEG", progressive=True))
    assert "takes about 17.8 MB, above the limit of 17.5 MB of memory (--max_decode_megabytes)" in said(refused, 413)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_pictures_are_answered_or_refused_clearly():
    with client_of(red_detector(), **{**SMALL, "upload_bytes": 1_000_000}) as client:
        for name, data in damaged_pictures(54, seed=5):
            response = client.post("/v1/segment?maps=none", content=data)
            if response.status_code != 200:
                assert response.status_code in (413, 422), name
                message = said(response, response.status_code)
                assert message.startswith(("picture: ", "the file is larger")), name
                assert " at 0x" not in message and "/" not in message, (name, message)
        assert client.post("/v1/segment", content=PICTURE).status_code == 200


class Gate:
    """A network that answers when told to."""

    def __init__(self):
        self.started, self.open = threading.Semaphore(0), threading.Event()

    def __call__(self, image):
        if image.shape[:2] != (64, 64):  # the warm-up
            self.started.release()
            assert self.open.wait(10)
        return red_and_green(image)


def test_when_all_places_are_taken():
    gate = Gate()
    with client_of(red_detector(gate), workers=1, queue=1) as client, ThreadPoolExecutor(2) as others:
        ask = partial(client.post, "/v1/segment?maps=none", content=PICTURE, timeout=20)
        waiting = [others.submit(ask) for _ in range(2)]
        gate.started.acquire(timeout=10)
        until_metrics_say(client, "gsr_tf_admitted 2.0")
        assert "gsr_tf_at_work 1.0" in client.get("/metrics").text

        refused = ask()
        assert "1 at work and 1 waiting are the limit" in said(refused, 503)
        assert int(refused.headers["Retry-After"]) > 0
        assert client.get("/healthz").status_code == 200  # answers while the network works

        gate.open.set()
        assert [answer.result().status_code for answer in waiting] == [200, 200]
        assert ask().status_code == 200
        assert "gsr_tf_admitted 0.0" in client.get("/metrics").text


def until_metrics_say(client, words):
    deadline = time.monotonic() + 10
    while words not in client.get("/metrics").text:
        assert time.monotonic() < deadline, words
        time.sleep(0.01)


@contextlib.contextmanager
def half_sent(address, length=90_000):
    """A request of which one byte has arrived."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(
            f"POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\nx".encode()
        )
        yield connection


def test_a_slow_upload_ends_and_gives_its_place_back():
    with running(red_detector(), **SMALL, workers=1, queue=0) as address:
        with half_sent(address) as connection:
            response = http.client.HTTPResponse(connection)
            response.begin()
            assert response.status == 408
            assert "longer than 0.5 s" in json.loads(response.read())["error"]["message"]
        assert httpx.post(f"http://localhost:{address[1]}/v1/segment", content=PICTURE, timeout=60).status_code == 200


def test_a_client_that_goes_away_gives_its_place_back():
    with client_of(red_detector(), workers=1, queue=0) as client:
        with half_sent((client.base_url.host, client.base_url.port)):
            until_metrics_say(client, "gsr_tf_uploading 1.0")
        until_metrics_say(client, "gsr_tf_uploading 0.0")
        assert client.post("/v1/segment", content=PICTURE).status_code == 200


@pytest.mark.parametrize("announced", [True, False])
def test_a_client_that_sends_too_much_reads_the_answer(announced):
    content = bytes(40_000_000)  # far more than a connection buffers
    with running(red_detector(), **{**SMALL, "upload_seconds": 10}) as (host, port):
        connection = http.client.HTTPConnection(host, port, timeout=10)
        connection.request(
            "POST", "/v1/segment", content if announced else iter([content]), encode_chunked=not announced
        )
        assert connection.getresponse().status == 413


def test_a_client_that_asks_first_need_not_send():
    with running(red_detector(), **SMALL) as address, socket.create_connection(address, timeout=3) as connection:
        connection.sendall(
            b"POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
