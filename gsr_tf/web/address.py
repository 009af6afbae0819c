"""Whom a request asks, and in whose name: host, path and origin, in all the forms that clients and proxies write."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

DEFAULT_PORTS = {"http": 80, "https": 443}


def asked(scope: Scope, prefix: str) -> tuple[str, str]:
    """(host, path) that a request asks.

    Args:
        scope: ASGI's. A target in absolute form, as one asks a proxy, says the host itself (RFC 9112, 3.2.2).
        prefix: of paths, as "/gsr_tf", which is taken away where it is there; "": none.
    """
    host, path = Headers(scope=scope).get("host", ""), scope["path"]
    scheme, separator, rest = path.partition("://")
    if separator and scheme.lower() in DEFAULT_PORTS:
        host, _, path = rest.partition("/")
        path = f"/{path}"
    return host, path.removeprefix(prefix) if path.startswith(f"{prefix}/") else path


def is_ours(host: str, names: Collection[str]) -> bool:
    """Whether a Host is one of the names, in lower case, or an address written as a number."""
    name, _ = _name_and_port(host, 0) or ("", 0)
    if name in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_foreign(origin: str | None, host: str) -> bool:
    """Whether a page asks that does not come from this host; a port that the scheme implies may be left out."""
    if origin is None:
        return False
    scheme, _, rest = origin.partition("://")
    port = DEFAULT_PORTS.get(scheme.lower())
    page = port and _name_and_port(rest, port)
    return not page or page != _name_and_port(host, port)


def _name_and_port(host: str, port: int) -> tuple[str, int] | None:
    """The name in lower case, and the port, that given where there is none; None for what is no host."""
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname or "", parts.port or port
    except ValueError:  # a port that is no number, a bracket too many
        return None
