"""The page itself: the same HTML for every view, its scripts and styles, and the paths of Google's own console."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from localcloud.console.deeplinks import local_path

_FILES = Path(__file__).with_name("static")
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_VIEWS = ("/", "/traces", "/traces/{trace:[^/;]+}", "/map", "/alerts", "/logs", "/resources")
# Matched after decoding, so that lines of a query are lines: `.` has to mean them too.
_GOOGLE = (
    "/logs/{rest:(?s:query.*)}",
    "/traces/{rest:(?s:(?:list|explorer)(?:[/;].*)?)}",
    "/monitoring/{rest:(?s:.*)}",
    "/run",
    "/run/{rest:(?s:.*)}",
)
HEADERS: Mapping[str, str] = {
    # The page shows text from requests and logs: nothing but its own files may run, and no text may become markup.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def page_routes() -> list[web.RouteDef]:
    """Google's paths come first: `/traces/list` is no trace."""
    google = [web.get(path, _elsewhere) for path in _GOOGLE]
    views = [web.get(path, _page) for path in _VIEWS]
    return [*google, *views, web.get("/blueprint/static/{name:[a-z-]+\\.[a-z]+}", _file)]


async def _page(request: web.Request) -> web.Response:
    return _answer(request, "index.html")


async def _file(request: web.Request) -> web.Response:
    return _answer(request, request.match_info["name"])


async def _elsewhere(request: web.Request) -> web.Response:
    # Undecoded: what is encoded in a query must not end it.
    path = local_path(request.raw_path)
    if path is None:
        raise web.HTTPNotFound
    return web.Response(status=302, headers={"Location": path})


def _answer(request: web.Request, name: str) -> web.Response:
    file = _FILES / name
    if file.suffix not in _TYPES or not file.is_file():
        raise web.HTTPNotFound
    content = file.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    headers = {**HEADERS, "ETag": tag}
    if request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=content, content_type=_TYPES[file.suffix], charset="utf-8", headers=headers)
