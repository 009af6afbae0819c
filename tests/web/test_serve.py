"""The command: python -m gsr_tf.serve."""

import logging
import os
import re
import signal
import socket
import sys
import threading
import time

import httpx
import pytest
from absl import flags

from gsr_tf import command, serve
from gsr_tf.errors import UserError
from gsr_tf.inference.detector import Detector
from gsr_tf.web import replacing, worker
from gsr_tf.web.monitoring import Metrics
from tests.web.conftest import Here, red_detector
from tests.web.pictures import blotches, encoded


@pytest.fixture
def listener(monkeypatch):
    """The socket that the command opens, once it has."""
    opened, listen = [], serve.listen
    monkeypatch.setattr(serve, "listen", lambda *address: opened.append(listen(*address)) or opened[0])
    return opened


@pytest.fixture
def here(monkeypatch):
    """Workers of this process in place of others; the list of what they were asked for."""
    asked = []

    def start(load, limits):
        asked.append((load, limits))
        return Here(red_detector(), limits)

    monkeypatch.setattr(worker, "Worker", start)
    monkeypatch.setattr(replacing, "Replaced", lambda start, metrics, number: start())
    return asked


def visited(listener, visit, *arguments):
    """The exit code of the command, which `visit` is told the address of, and what it came back with."""
    answers = []

    def visit_and_stop():
        while not listener:
            time.sleep(0.01)
        try:
            answers.extend(visit(f"http://127.0.0.1:{listener[0].getsockname()[1]}"))
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    visitor = threading.Thread(target=visit_and_stop, daemon=True)
    visitor.start()
    code = serve.main(["serve", "--port=0", *arguments])
    visitor.join()
    return code, answers


def test_a_server_from_start_to_stop(monkeypatch, capsys, listener, here):
    apart, closed = [], []
    handler = logging.NullHandler()  # another package's: uvicorn's own configuration would close it
    monkeypatch.setattr(handler, "close", lambda: closed.append(True))
    monkeypatch.setattr(serve.memory, "keep_large_blocks_apart", lambda: apart.append(True))

    def visit(url):
        yield httpx.post(f"{url}/v1/segment?maps=none", content=encoded(blotches(20, 30)), timeout=20)
        yield httpx.get(f"{url}/metrics", timeout=20)

    settings = [
        "--max_megapixels=0.001",
        "--max_decode_megabytes=90",
        "--scales=1,0.5",
        "--workers=2",
        "--picture_seconds=7",
        "--device=cpu",
        "--precision=bfloat16",
    ]
    code, answers = visited(listener, visit, *settings)
    assert code == 130
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (apart, closed) == ([True], [])
    (load, limits), other = here
    assert other == (load, limits)
    assert (load.func, load.args) == (worker.load_detector, (None, (0.5, 1.0), "cpu", "bfloat16"))
    assert (limits.workers, limits.picture_seconds, limits.pixels, limits.decode_bytes) == (2, 7, 1000, 90_000_000)
    printed = capsys.readouterr()
    assert printed.out.startswith("http://127.0.0.1:")
    assert "warning" not in printed.err
    said = ["loading the model ...", "answering a first picture, to be quick from the second on ...", "ready"]
    assert printed.err.splitlines()[:3] == said
    assert logging.getLogger("gsr_tf.web").handlers == []


def test_limits_by_environment_and_a_flag_that_wins(monkeypatch, listener, here):
    given = {"MAX_MEGAPIXELS": "2", "MAX_MEGABYTES": "0.5", "WORKERS": "2", "QUEUE": "", "UPLOAD_SECONDS": "7.5"}
    given |= {
        "SCALES": "0.5,1",
        "PRECISION": "bfloat16",
        "NAMES": "photos.example,other.example",
        "PORT": "tcp://10.0.0.1:8321",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"GSR_TF_{name}", value)

    def visit(url):
        yield httpx.get(f"{url}/v1/model", headers={"Host": "other.example"}, timeout=20)

    _, (answer,) = visited(listener, visit, "--upload_seconds=9")
    assert answer.status_code == 200 and answer.json()["limits"]["pixels"] == 2_000_000
    (load, limits), _ = here
    assert load.args == (None, (0.5, 1.0), "auto", "bfloat16")
    assert (limits.pixels, limits.upload_bytes, limits.workers) == (2_000_000, 500_000, 2)
    assert (limits.queue, limits.upload_seconds) == (8, 9.0)  # empty is not set; the flag wins


@pytest.mark.parametrize(
    ("name", "value"), [("QUEUE", "-1"), ("PICTURE_SECONDS", "long"), ("DEVICE", "tpu"), ("NAMES", "a,,b")]
)
def test_a_wrong_value_in_the_environment_is_named(monkeypatch, capsys, name, value):
    monkeypatch.setenv(f"GSR_TF_{name}", value)
    assert serve.main(["serve", "--port=0"]) == 2
    error = capsys.readouterr().err
    assert re.match(f"error: GSR_TF_{name}={value}, a variable of the environment: (flag )?--{name.lower()}=", error)


@pytest.mark.parametrize(
    ("name", "value"),
    [("SCALES", "9, 1"), ("PATH_PREFIX", "gsr/"), ("METHOD", "mfcn"), ("SAVED_MODEL", "/nix"), ("DEVICE", "gpu")],
)
def test_a_value_that_is_found_wrong_later_is_named_as_it_was_set(monkeypatch, capsys, name, value):
    def refuse(load, limits):  # as the worker tells what kept it from its model
        raise UserError(f"--{name.lower()}={value}: no such thing")

    monkeypatch.setattr(worker, "Worker", refuse)
    monkeypatch.setattr(replacing, "Replaced", lambda start, metrics, number: start())
    monkeypatch.setenv(f"GSR_TF_{name}", value)
    assert serve.main(["serve", "--port=0"]) == 1
    assert f"error: GSR_TF_{name}={value} in the environment: --{name.lower()}=" in capsys.readouterr().err


def test_a_worker_that_is_killed_while_it_loads_is_no_defect(monkeypatch, capsys):
    def refuse(start, metrics, number):
        raise worker.EndedBefore("a worker ended before it was warm (SIGKILL)")

    monkeypatch.setattr(replacing, "Replaced", refuse)
    assert serve.main(["serve", "--port=0"]) == 1
    assert capsys.readouterr().err.endswith("error: a worker ended before it was warm (SIGKILL)\n")


def test_a_variable_that_a_flag_overrides_is_not_blamed(monkeypatch, capsys):
    monkeypatch.setenv("GSR_TF_PATH_PREFIX", "/fine")
    monkeypatch.setenv("GSR_TF_METHOD", "unknown")
    assert serve.main(["serve", "--port=0", "--path_prefix=gsr/", "--method=mfcn"]) == 1
    assert serve.main(["serve", "--port=0", "--method=mfcn"]) == 1
    assert re.findall("error: (--[a-z_]+)=", capsys.readouterr().err) == ["--path_prefix", "--method"]


@pytest.mark.parametrize("value", ["inf", "nan", "1e9"])
@pytest.mark.parametrize(
    "name", ["max_megabytes", "max_megapixels", "max_decode_megabytes", "upload_seconds", "picture_seconds"]
)
def test_bounds_of_numbers(name, value):
    words = re.escape(f"flag --{name}={value}: {float(value)} is not a number in the range")
    with pytest.raises(flags.Error, match=words):
        command.parse(["serve", f"--{name}={value}"], "", serve._define)


def test_the_help_names_the_variables(capsys):
    assert serve.main(["serve", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "GSR_TF_MAX_MEGABYTES for --max_megabytes, and so on for max_megapixels, max_decode_megabytes" in said
    values = flags.FlagValues()
    serve._define(values)
    assert set(serve.VARIABLES) == set(values) - {"host", "port", "flagfile", "undefok"}


def test_names_under_which_it_may_be_asked(listener, here):
    def visit(url):
        for host in ("photos.example", "PROXY.example:80", "evil.example"):
            yield httpx.get(f"{url}/v1/model", headers={"Host": host}, timeout=20)

    _, answers = visited(listener, visit, "--names=photos.example,proxy.example")
    assert [answer.status_code for answer in answers] == [200, 200, 421]


def test_a_detector_as_the_flags_say(monkeypatch):
    asked, detector = [], red_detector()
    monkeypatch.setattr(worker, "choose", lambda *how: asked.append(how))
    monkeypatch.setattr(Detector, "load", lambda path: asked.append(path) or detector)
    assert worker.load_detector("folder", (0.5, 1.0), "gpu", "float32").scales == (0.5, 1.0)
    assert asked == [("gpu", "float32"), "folder"]
    detector.scales = (0.75, 1.0)
    assert worker.load_detector(None, None, "cpu", "float32").scales == (0.75, 1.0)


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
