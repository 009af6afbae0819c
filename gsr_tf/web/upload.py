"""A request's body, read into memory under limits: nothing is spooled to disk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from starlette.requests import Request

from gsr_tf.web.limits import MEGA, Limits
from gsr_tf.web.refusal import RETRY, Refusal

MEDIA_TYPES = ("image/", "application/octet-stream", "application/x-www-form-urlencoded")  # the last: curl's default


class UploadShare:
    """What one upload holds of the budget for all, in bytes."""

    def __init__(self, budget: UploadBudget):
        self._budget, self._taken = budget, 0

    def take(self, size: int) -> None:
        """Takes more; Refusal (503) when there is no more."""
        if size > self._budget.free:
            raise Refusal(503, "busy: too many pictures on their way; try again in a moment", RETRY)
        self._budget.free -= size
        self._taken += size

    def give_back(self) -> None:
        """Gives all of it back."""
        self._budget.free += self._taken
        self._taken = 0


class UploadBudget:
    """Bytes for all uploads together. Who sends slowly takes little of it, and so keeps nobody out."""

    def __init__(self, size: int):
        self.free = size

    @contextlib.contextmanager
    def share(self) -> Iterator[UploadShare]:
        """A share that is given back in the end."""
        share = UploadShare(self)
        try:
            yield share
        finally:
            share.give_back()


def check_header(request: Request, limits: Limits) -> None:
    """Refuses by what is known before the body: its type or encoding (415) and its announced length (413)."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise Refusal(415, f"Content-Encoding {encoding[:80]!r}: expected the picture file as it is, not compressed")
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


async def read_upload(request: Request, limits: Limits, share: UploadShare) -> bytes:
    """The body; refuses one that is longer (413) or takes longer (408) than it may, or finds no budget (503).

    Args:
        request: whose body is read.
        limits: of its length and time.
        share: of the budget; taken as the body arrives.

    Raises:
        Refusal: as said.
        ClientDisconnect: the client went away.
    """
    try:
        return await asyncio.wait_for(_read(request, limits, share), limits.upload_seconds)
    except TimeoutError as error:
        raise Refusal(
            408, f"the upload took longer than {limits.upload_seconds:g} s", {"Connection": "close"}
        ) from error


async def _read(request: Request, limits: Limits, share: UploadShare) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():  # also of one that is too long: who is still sending reads no answer
        size += len(chunk)
        if size <= limits.upload_bytes:
            share.take(len(chunk))
            chunks.append(chunk)
        else:
            share.give_back()
            chunks.clear()
    if size > limits.upload_bytes:
        raise _too_large(limits)
    return b"".join(chunks)


def _too_large(limits: Limits) -> Refusal:
    return Refusal(413, f"the file is larger than {limits.upload_bytes / MEGA:g} MB, the limit (--max_megabytes)")
