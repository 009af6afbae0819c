"""What a browser is told, and whom the server believes: headers of every answer, Host and Origin of every request.

A page of a stranger must not use a visitor's browser to reach a server on the visitor's own machine: by a name of the
stranger's that is made to point there (then Host is that name), or by posting across origins (then Origin is another).
"""

from __future__ import annotations

import contextlib
import ipaddress
import time
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gsr_tf.web.monitoring import Metrics
from gsr_tf.web.refusal import refuse

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "require-trusted-types-for 'script'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
OTHER = "other"


def guarded(app: ASGIApp, *, names: Collection[str], metrics: Metrics, routes: Collection[str]) -> ASGIApp:
    """Wraps an application: checks Host and Origin, adds the headers, counts answers by route and status.

    Args:
        app: what answers.
        names: host names that are ours beside "localhost"; addresses written as numbers are always believed, since
            no name can be made to point at them.
        metrics: where answers are counted.
        routes: paths counted under their own name; every other one is "other".
    """
    names = {"localhost", *(name.lower() for name in names)}

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)
        route = scope["path"] if scope["path"] in routes else OTHER

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
                metrics.requests.labels(route, str(message["status"])).inc()
            await send(message)

        start = time.perf_counter()
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        answer = app
        if not _ours(host, names):
            answer = refuse(421, f"Host {host[:80]!r} is not this server's name; ask by its address or localhost")
        elif _foreign(headers.get("origin"), host):
            answer = refuse(403, "asked by a page of another origin; only this server's own page may")
        await answer(scope, receive, send_with_headers)
        metrics.request_seconds.labels(route).observe(time.perf_counter() - start)

    return guard


def _ours(host: str, names: Collection[str]) -> bool:
    name = ""
    with contextlib.suppress(ValueError):  # a port that is no number, a bracket too many
        name = urlsplit(f"//{host}").hostname or ""
    if name in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _foreign(origin: str | None, host: str) -> bool:
    return origin is not None and urlsplit(origin).netloc.lower() != host.lower()
