"""uvicorn, as this server needs it: who says nothing is not waited for, and who waits is told when it stops."""

from __future__ import annotations

import asyncio
import socket

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from gsr_tf.web.service import Service

CONNECTIONS = 256
SILENCE_SECONDS = 10  # until a request's headers are there
GRACE_SECONDS = 20  # for pictures at work when the server is told to stop


class Impatient(H11Protocol):
    """A connection that is closed when no request comes, or none that comes to the end of its headers.

    uvicorn waits for a first request, and for the rest of one that has begun, without an end.
    """

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """The deadline of the first request begins."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """The deadline ends with the headers, and begins with the first byte of another request."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to close."""
        super().connection_lost(exc)
        self._forget()

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
