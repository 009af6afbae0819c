"""uvicorn, as this server needs it: who says nothing is not waited for, and who waits is told when it stops."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from gsr_tf.web.service import Service

CONNECTIONS = 256
SILENCE_SECONDS = 10  # until a request's headers are there
UNREAD_SECONDS = 120  # in which nothing of an answer is taken; a kernel tells of a slow reader's bytes by the 100 kB
UNSENT_BYTES = 16_384  # of an answer that the kernel holds; the rest is with us, and shrinks as it is read
GRACE_SECONDS = 20  # for pictures at work when the server is told to stop


class Impatient(H11Protocol):
    """A connection that is closed when no request comes, none to the end of its headers, or nobody reads the answer.

    uvicorn waits for a first request, for the rest of one that has begun, and for a reader, without an end.
    """

    _deadline: asyncio.TimerHandle | None = None
    _look: asyncio.TimerHandle | None = None
    _unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:
        """The deadline of the first request begins."""
        super().connection_made(transport)
        with contextlib.suppress(OSError):  # where a system cannot, who reads has to read faster
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        self._look_for_reader()
        self._watch()

    def data_received(self, data: bytes) -> None:
        """The deadline ends with the headers, and begins with the first byte of another request."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to close."""
        super().connection_lost(exc)
        self._forget()
        self._look.cancel()

    def _watch(self) -> None:
        answered = self.conn.our_state is h11.DONE  # a body that nobody reads any more may not go on for ever
        if self.conn.their_state is not h11.IDLE and not answered:
            self._forget()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(SILENCE_SECONDS, self.transport.close)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _look_for_reader(self) -> None:
        """Gives up an answer of which nothing was taken for long, and its memory; a closed connection waits for it."""
        unread, now = self.transport.get_write_buffer_size(), self.loop.time()
        if unread != self._unread:
            self._unread, self._since = unread, now
        elif unread and now - self._since > UNREAD_SECONDS:
            self.transport.abort()
        self._look = self.loop.call_later(UNREAD_SECONDS / 10, self._look_for_reader)


class Server(uvicorn.Server):
    """A server around one service.

    Args:
        app: the application.
        service: what it answers with; told when the server stops, which it does when that has failed.
        settings: more of uvicorn's.
    """

    def __init__(self, app: ASGIApp, service: Service, **settings: object):
        self._service = service
        config = uvicorn.Config(
            app,
            http=Impatient,
            log_config=None,  # its own would close what other packages log to
            access_log=False,  # it would write down the names of the pictures
            server_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            **settings,
        )
        super().__init__(config)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Answers until it is told to stop; raises the service's failure."""
        super().run(sockets)
        if self._service.failure:
            raise self._service.failure

    async def on_tick(self, counter: int) -> bool:
        """Whether it is to stop; asked ten times a second."""
        return await super().on_tick(counter) or self._service.failure is not None

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Who waits is refused; what is at work is finished."""
        self._service.stop()
        await super().shutdown(sockets)
