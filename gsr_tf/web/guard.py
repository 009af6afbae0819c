"""What a browser is told, and whom the server believes: headers of every answer, Host and Origin of every request.

A page of a stranger must not use a visitor's browser to reach a server on the visitor's own machine: by a name of the
stranger's that is made to point there (then Host is that name), or by posting across origins (then Origin is another).
"""

from __future__ import annotations

import time
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gsr_tf.web.address import asked, is_foreign, is_ours
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


def guarded(app: ASGIApp, *, names: Collection[str], prefix: str, metrics: Metrics, routes: Collection[str]) -> ASGIApp:
    """Wraps an application: checks Host and Origin, adds the headers, counts answers by route and status.

    HEAD is answered wherever GET is; the server leaves the body out.

    Args:
        app: what answers.
        names: host names that are ours beside "localhost"; addresses written as numbers are always believed, since
            no name can be made to point at them.
        prefix: of paths, as "/gsr_tf", where a proxy passes them on with it; "": none.
        metrics: where answers are counted.
        routes: paths counted under their own name; every other one is "other".
    """
    names = {"localhost", *(name.lower() for name in names)}

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)
        host, path = asked(scope, prefix)
        route = path if path in routes else OTHER

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
                metrics.requests.labels(route, str(message["status"])).inc()
            await send(message)

        start = time.perf_counter()
        answer = app
        if not is_ours(host, names):
            answer = refuse(421, f"Host {host[:80]!r} is not this server's name; ask by its address, or see --names")
        elif is_foreign(Headers(scope=scope).get("origin"), host):
            answer = refuse(403, "asked by a page of another origin; only this server's own page may")
        elif prefix and path == prefix:
            answer = Response(status_code=308, headers={"Location": f"{prefix}/"})
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        scope = {**scope, "path": path, "method": method}
        await answer(scope, receive, send_with_headers)
        metrics.request_seconds.labels(route).observe(time.perf_counter() - start)

    return guard
