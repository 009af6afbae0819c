"""The command: python -m gsr_tf.serve."""

import logging
import os
import signal
import socket
import sys
import threading
import time

import httpx
import pytest

from gsr_tf import serve
from gsr_tf.inference.detector import Detector
from gsr_tf.web.monitoring import Metrics
from tests.web.conftest import red_detector
from tests.web.pictures import blotches, encoded


@pytest.fixture
def listener(monkeypatch):
    """The socket that the command opens, once it has."""
    opened, listen = [], serve.listen
    monkeypatch.setattr(serve, "listen", lambda *address: opened.append(listen(*address)) or opened[0])
    return opened


def test_a_server_from_start_to_stop(monkeypatch, capsys, listener):
    detector = red_detector()
    detector.scales = (0.5, 1.0)  # the stand-in cannot; --scales=1 takes them away
    monkeypatch.setattr(Detector, "load", lambda path: detector)
    answers, apart, closed = [], [], []
    handler = logging.NullHandler()  # another package's: uvicorn's own configuration would close it
    monkeypatch.setattr(handler, "close", lambda: closed.append(True))
    monkeypatch.setattr(serve.memory, "keep_large_blocks_apart", lambda: apart.append(True))

    def visit():
        while not listener:
            time.sleep(0.01)
        url = f"http://127.0.0.1:{listener[0].getsockname()[1]}"
        try:
            answers.append(httpx.post(f"{url}/v1/segment?maps=none", content=encoded(blotches(20, 30)), timeout=20))
            answers.append(httpx.get(f"{url}/metrics", timeout=20))
            answers.append(httpx.get(f"{url}/v1/model", timeout=20))
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    visitor = threading.Thread(target=visit, daemon=True)
    visitor.start()
    assert serve.main(["serve", "--port=0", "--max_megapixels=0.001", "--scales=1"]) == 130
    visitor.join()
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert answers[-1].json()["scales"] == [1.0]
    assert (apart, closed) == ([True], [])
    printed = capsys.readouterr()
    assert printed.out.startswith("http://127.0.0.1:")
    assert "warning" not in printed.err


def test_a_port_that_is_taken(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert serve.main(["serve", f"--port={port}"]) == 1
    assert f"error: --host=127.0.0.1 --port={port}: Address already in use" in capsys.readouterr().err


def test_an_address_that_is_not_ours(capsys):
    assert serve.main(["serve", "--host=192.0.2.1", "--port=0"]) == 1
    assert "error: --host=192.0.2.1 --port=0: " in capsys.readouterr().err


@pytest.mark.parametrize("prefix", ["gsr_tf", "/gsr_tf/", "/"])
def test_a_prefix_is_a_path(prefix, capsys):
    assert serve.main(["serve", "--port=0", f"--path_prefix={prefix}"]) == 1
    assert f"error: --path_prefix={prefix}: expected a path without an end slash" in capsys.readouterr().err


def test_without_the_extra(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "gsr_tf.web.app", None)  # as where its packages are missing
    assert serve.main(["serve", "--port=0"]) == 1
    assert "pip install 'gsr_tf[web]'" in capsys.readouterr().err


def test_a_folder_without_a_model(tmp_path, capsys):
    assert serve.main(["serve", "--port=0", f"--saved_model={tmp_path}"]) == 1
    assert f"--saved_model={tmp_path}: not a SavedModel folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.3.2.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("192.168.0.7", False),
        ("::", False),
    ],
)
def test_addresses_that_only_this_machine_reaches(host, expected):
    assert serve.is_loopback(host) == expected


def test_two_applications_do_not_share_their_numbers():
    one, other = Metrics(), Metrics()
    one.upload_bytes.inc(5)
    assert b"gsr_tf_upload_bytes_total 5.0" in one.text()
    assert b"gsr_tf_upload_bytes_total 0.0" in other.text()
