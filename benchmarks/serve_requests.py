"""What clients ask of a server: easy, difficult and impossible things, each on a connection of its own."""

from __future__ import annotations

import http.client
import io
import itertools
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import numpy as np
from PIL import Image

from tests.damage import damaged_pictures

MAX_MEGABYTES, UPLOAD_SECONDS = 8, 4  # the server's limits
PATIENCE = 120  # seconds until a client gives up: the request is then lost


def picture(height: int, width: int) -> bytes:
    """A JPEG: a gradient with noise."""
    slope = np.linspace(0, 180, width)[np.newaxis, :, np.newaxis]
    pixels = (slope + np.random.default_rng(0).integers(0, 76, (height, width, 3))).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def many_pixels() -> bytes:
    """A small PNG of 100 megapixels."""
    buffer = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(buffer, "PNG")
    return buffer.getvalue()


def post(port: int, body: bytes | Iterator[bytes], path: str = "/v1/segment", method: str = "POST") -> int:
    """One request on a connection of its own; the status, its body read and understood."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with suppress(BrokenPipeError, ConnectionResetError):  # an answer that came before all was sent may still be read
        connection.request(method, path, body)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    if response.status != 200:
        assert json.loads(content)["error"]["message"], content
    return response.status


def trickle(data: bytes, seconds: float) -> Iterator[bytes]:
    """The data in twenty pieces, spread over a time."""
    size = -(-len(data) // 20)
    for start in range(0, len(data), size):
        time.sleep(seconds / 20)
        yield data[start : start + size]


def _half_an_upload(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    connection.sendall(b"POST /v1/segment HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n" + bytes(5000))
    return connection


def endless(port: int) -> int:
    """An upload that stops half way: the server must end it."""
    with _half_an_upload(port) as connection:
        response = http.client.HTTPResponse(connection)
        response.begin()
        response.read()
        return response.status


def dropped(port: int) -> int:
    """A connection that ends in the middle of an upload: nobody waits for an answer."""
    _half_an_upload(port).close()
    return 0


def requests() -> dict[str, Callable[[int], int]]:
    """What clients do, by name: functions of the port to a status; 0: no answer was waited for."""
    medium, large, widths = picture(900, 1200), picture(3000, 4000), itertools.count(200)
    too_large, pixels = bytes(5 * MAX_MEGABYTES * 1_000_000), many_pixels()
    damaged = itertools.cycle(list(damaged_pictures(180, seed=1)))
    return {
        "small, of a new shape": lambda port: post(port, picture(240, next(widths))),
        "medium": lambda port: post(port, medium),
        "large, 12 MP": lambda port: post(port, large, "/v1/segment?maps=8&max_side=2048&preview=true"),
        "report": lambda port: post(port, medium, "/v1/report"),
        "damaged": lambda port: post(port, next(damaged)[1]),
        "too many bytes": lambda port: post(port, too_large),
        "too many bytes, unannounced": lambda port: post(port, trickle(too_large, 0.1)),
        "too many pixels": lambda port: post(port, pixels),
        "slow upload": lambda port: post(port, trickle(medium, UPLOAD_SECONDS / 2)),
        "upload without end": endless,
        "dropped": dropped,
        "healthz": lambda port: post(port, b"", "/healthz", "GET"),
    }
