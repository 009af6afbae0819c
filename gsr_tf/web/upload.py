"""A request's body, read into memory under limits: nothing is spooled to disk."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.requests import ClientDisconnect, Request

from gsr_tf.web.limits import MEGA, Limits
from gsr_tf.web.refusal import Refusal

MEDIA_TYPES = ("image/", "application/octet-stream", "application/x-www-form-urlencoded")  # the last: curl's default
DISCARD_SECONDS = 5


def check_header(request: Request, limits: Limits) -> None:
    """Refuses by what is known before the body: its type (415) and its announced length (413)."""
    media_type = request.headers.get("content-type", MEDIA_TYPES[1])
    if not media_type.lower().startswith(MEDIA_TYPES):
        raise Refusal(
            415,
            f"Content-Type {media_type[:80]!r}: expected the picture file itself as the body, as image/* or "
            "application/octet-stream (curl --data-binary @photo.jpg)",
        )
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > limits.upload_bytes:
        raise _too_large(limits)


async def read_upload(request: Request, limits: Limits) -> bytes:
    """The body; refuses one that is longer (413) or takes longer (408) than it may.

    Raises:
        Refusal: as said.
        ClientDisconnect: the client went away.
    """
    try:
        return await asyncio.wait_for(_read(request, limits), limits.upload_seconds)
    except asyncio.TimeoutError as error:
        raise Refusal(
            408, f"the upload took longer than {limits.upload_seconds:g} s", {"Connection": "close"}
        ) from error


async def _read(request: Request, limits: Limits) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():  # to its end, also of one that is too long: see `discard`
        size += len(chunk)
        if size <= limits.upload_bytes:
            chunks.append(chunk)
        else:
            chunks.clear()
    if size > limits.upload_bytes:
        raise _too_large(limits)
    return b"".join(chunks)


def _too_large(limits: Limits) -> Refusal:
    return Refusal(413, f"the file is larger than {limits.upload_bytes / MEGA:g} MB, the limit (--max_megabytes)")


async def discard(request: Request) -> None:
    """Reads what a refused client still sends, for a while, and drops it.

    A client that is sending when the connection closes sees a broken connection, not the answer. One that asked
    first (Expect: 100-continue) is not sending.
    """
    if request.headers.get("expect", "").lower() == "100-continue":
        return
    with contextlib.suppress(asyncio.TimeoutError, ClientDisconnect):
        await asyncio.wait_for(_drain(request), DISCARD_SECONDS)


async def _drain(request: Request) -> None:
    more = True
    while more:
        message = await request.receive()
        more = message["type"] == "http.request" and message.get("more_body", False)
