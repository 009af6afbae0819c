"""Uploads that stop half way, and one that trickles in, as a server sees them."""

import socket
import threading

import pytest

from benchmarks import serve_requests

ANSWER = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(("request_", "answer", "status"), [("endless", ANSWER, 408), ("dropped", b"", 0)])
def test_half_an_upload_is_announced_and_never_comes_whole(request_, answer, status):
    received = []

    def serve(listener):
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as stream:
            head = b"".join(iter(stream.readline, b"\r\n"))
            received.extend([head, stream.read(5000)])
            connection.sendall(answer)
            received.append(stream.read())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        assert getattr(serve_requests, request_)(listener.getsockname()[1]) == status
        server.join(10)
    head, body, rest = received
    assert b"Content-Length: 9999\r\n" in head
    assert (len(body), rest) == (5000, b"")


def test_what_trickles_in_is_all_there():
    data = bytes(range(256)) * 2
    pieces = list(serve_requests.trickle(data, 0.0))
    assert b"".join(pieces) == data and len(pieces) == 20
