import contextlib
import threading

import httpx
import numpy as np
import pytest

from gsr_tf.inference.detector import Detector
from gsr_tf.serve import listen
from gsr_tf.web.app import create_app
from gsr_tf.web.limits import Limits
from gsr_tf.web.monitoring import Metrics
from gsr_tf.web.server import Server
from gsr_tf.web.service import Service


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


def red_detector(module=red_and_green):
    return Detector(module, name="red", metadata={"threshold": 0.4}, fingerprint="f1")


@contextlib.contextmanager
def running(detector, names=(), prefix="", told=None, **limits):
    """(host, port) of a real server in a thread; the list `told` gets the server itself."""
    service = Service(detector, Limits(**limits), Metrics())
    server = Server(create_app(service, names, prefix), service, log_level="critical")
    (told if told is not None else []).append(server)
    with listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()
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
