"""Refuses requests that a browser was led to make: by a name that somebody else's DNS points at 127.0.0.1.

Reads need no token here, and a page of that name would be of the same origin. Only the `Host` header tells it apart.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

NAMES = ("127.0.0.1", "localhost", "::1")


@web.middleware
async def loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """421 (RFC 9110, 15.5.20) unless the request names this machine, at whatever port."""
    host = request.headers.get("Host", "")
    if _name(host) not in NAMES:
        sentence = f"Host has value '{host[:100]}'; localcloud answers as 127.0.0.1, localhost and [::1].\n"
        return web.Response(status=421, text=sentence, headers={"X-Content-Type-Options": "nosniff"})
    return await handler(request)


def _name(host: str) -> str:
    """The host without its port; empty for what is none."""
    try:
        parts = urlsplit(f"//{host}")
        return (parts.hostname or "") if parts.netloc == host and "@" not in host else ""
    except ValueError:
        return ""
