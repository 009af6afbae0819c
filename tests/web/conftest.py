import contextlib
import threading

import httpx
import numpy as np
import pytest

from gsr_tf.inference import shipped
from gsr_tf.inference.detector import Detector
from gsr_tf.serve import listen
from gsr_tf.web.app import create_app
from gsr_tf.web.limits import Limits
from gsr_tf.web.model import describe
from gsr_tf.web.monitoring import Metrics
from gsr_tf.web.server import Server
from gsr_tf.web.service import Service
from gsr_tf.web.task import carry_out
from gsr_tf.web.worker import WARM_UP


def red_and_green(image):
    """What is asked of a network, with an answer that a test can compute: red is probability, green is boundary."""
    pixels = np.asarray(image, np.float32) / 255
    maps = {"probability": pixels[..., :1], "boundary": pixels[..., 1:2]}
    return {name: Eager(values) for name, values in maps.items()}


class Eager(np.ndarray):
    """An array that is asked for `.numpy()`, as TensorFlow's are."""

    def __new__(cls, values):
        return np.asarray(values).view(cls)

    def numpy(self):
        return np.asarray(self)


class Here:
    """Answers as a worker does, in this process."""

    def __init__(self, detector, limits):
        self.detector, self.limits = detector, limits

    def model(self):
        return describe(self.detector)

    def warm_up(self):
        self.detector.segment(WARM_UP)

    def answer(self, task):
        return carry_out(task, self.detector, self.limits)

    def close(self):
        pass


def red_detector(module=red_and_green, fingerprint="f1"):
    return Detector(module, name="red", metadata={"threshold": 0.4}, fingerprint=fingerprint)


MEASURED = {
    "data": "SET 7",
    "marked_pictures": 0.876,
    "few": {"threshold": 0.75, "marked_pixels": 0.03, "recall": 0.129},
}
USUAL = "At its threshold of 0.4 the included model marks more than a hundredth of the pixels of 88 in 100 authentic "
FEW = "At 0.75 it marks 3 % of their pixels, and finds 13 % of what is manipulated."


@pytest.fixture
def included(monkeypatch):
    """A detector that is the included model."""
    entry = {"sha256": "ab", "size": 8, "resize_mode": "crop", "centre": 0.5, "scales": [1.0], "threshold": 0.4}
    monkeypatch.setattr(shipped, "read_index", lambda: {"red": {**entry, "false_alarms": MEASURED}})
    return red_detector(fingerprint=shipped.fingerprint(entry))


@contextlib.contextmanager
def running(detector, names=(), prefix="", told=None, port=0, **limits):
    """(host, port) of a real server in a thread, at a free port by default; the list `told` gets the server itself."""
    limits = Limits(**limits)
    with serving([Here(detector, limits)] * limits.workers, limits, names, prefix, port) as (address, server):
        (told if told is not None else []).append(server)
        yield address


@contextlib.contextmanager
def serving(workers, limits, names=(), prefix="", port=0):
    """((host, port), server) of a real server in a thread."""
    service = Service(workers, limits, Metrics())
    server = Server(create_app(service, names, prefix), service, log_level="critical")
    with listen("127.0.0.1", port) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield listener.getsockname(), server
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive(), "the server does not stop"


@contextlib.contextmanager
def client_of(detector, **settings):
    """A client of a running server."""
    with (
        running(detector, **settings) as (host, port),
        httpx.Client(base_url=f"http://{host}:{port}", timeout=60) as client,
    ):
        yield client


@pytest.fixture
def client():
    with client_of(red_detector()) as client:
        yield client
