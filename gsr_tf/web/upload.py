"""A request's body, read into memory under limits: nothing is spooled to disk."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from gsr_tf.web.limits import MEGA, Limits
from gsr_tf.web.refusal import Refusal

MEDIA_TYPES = ("image/", "application/octet-stream", "application/x-www-form-urlencoded")  # the last: curl's default


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
    async for (
        chunk
    ) in request.stream():  # to its end, also of one that is too long: who is still sending reads no answer
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
