"""The console: one page over the read APIs, and `/blueprint.json`, which lists the services and their addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

_PAGE = Path(__file__).with_name("console.html")
# The page shows text from requests and logs: nothing but its own script and style may run.
_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'"


def console_routes(about: Callable[[], Mapping[str, Any]]) -> list[web.RouteDef]:
    """`GET /` and `GET /blueprint.json`; `about` gives the latter's content: project, region, services."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(
            text=_PAGE.read_text(encoding="utf-8"),
            content_type="text/html",
            headers={"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"},
        )

    async def blueprint(request: web.Request) -> web.Response:
        return web.json_response(about())

    return [web.get("/", page), web.get("/blueprint.json", blueprint)]
