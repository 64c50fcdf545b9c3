"""The console's routes. What takes time runs in a thread: the services' requests pass through the same event loop."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from localcloud.console.detail import span_detail, trace_picture
from localcloud.console.incidents import incidents
from localcloud.console.listing import TraceFilter, listing
from localcloud.console.page import page_routes
from localcloud.console.servicemap import service_map
from localcloud.console.sources import Sources
from localcloud.console.stack import stack
from localcloud.console.summary import Summaries
from localcloud.google_error import google_error

_RATE_MINUTES = 15
"""What rates are of where no time was asked for."""
_Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def console_routes(sources: Sources) -> list[web.RouteDef]:
    """Every route of the console; see the package."""
    console = _Console(sources)
    trace = "/blueprint/traces/{trace:[0-9a-f]{32}}"
    answers: dict[str, _Answer] = {
        "/blueprint.json": console.about,
        "/blueprint/traces": console.traces,
        trace: console.trace,
        trace + "/spans/{span:[0-9a-f]{16}}": console.span,
        "/blueprint/map": console.map,
        "/blueprint/alerts": console.alerts,
        "/blueprint/alerts/count": console.open_alerts,
        "/blueprint/resources": console.resources,
    }
    return [*(web.get(path, answer) for path, answer in answers.items()), *page_routes()]


class _Console:
    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._summaries = Summaries(sources.spans, sources.logs)
        # Versions begin anew with each run: what a page remembers of the last one must match nothing.
        self._run = secrets.token_hex(4)

    async def about(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(self._sources.about())

    async def traces(self, request: web.Request) -> web.StreamResponse:
        try:
            wanted = TraceFilter.read(request.query)
        except ValueError as error:
            return google_error(HTTPStatus.BAD_REQUEST, str(error))
        token = request.query.get("page", "")
        return await self._unless_known(
            request,
            self._summaries.version,
            lambda: listing(self._summaries.newest(), wanted, token),
        )

    async def trace(self, request: web.Request) -> web.StreamResponse:
        trace_id, sources = request.match_info["trace"], self._sources
        # Before anything is read: what arrives in between must make the next answer another one.
        revision, logged = sources.spans.revision(trace_id), sources.logs.revision(trace_id)
        if not revision:
            return google_error(HTTPStatus.NOT_FOUND, f"Trace {trace_id} is not in the store.")
        return await self._unless_known(
            request, f"{revision}-{logged}", lambda: trace_picture(sources, trace_id)
        )

    async def span(self, request: web.Request) -> web.StreamResponse:
        spans = self._sources.spans.trace(request.match_info["trace"])
        found = next((span for span in spans if span.span_id == request.match_info["span"]), None)
        if found is None:
            return google_error(HTTPStatus.NOT_FOUND, "The span is not in the store.")
        return self._if_new(request, span_detail(found))

    async def map(self, request: web.Request) -> web.StreamResponse:
        text = request.query.get("minutes", "")
        if text and not (text.isascii() and text.isdigit() and 0 < int(text) <= 10_000):
            return google_error(
                HTTPStatus.BAD_REQUEST, f"minutes has value '{text}'; it is a number from 1 to 10000."
            )
        # The answer changes by itself as traces get older; a minute's third is as near as anybody looks.
        version = f"{self._sources.spans.version}-{int(time.time() // 20)}"
        return await self._unless_known(request, version, lambda: self._map(int(text or 0)))

    def _map(self, minutes: int) -> dict[str, Any]:
        newest, now = self._summaries.newest(), time.time_ns()
        window = minutes or _RATE_MINUTES
        lately = [trace for trace in newest if trace.start_ns >= now - window * 60 * 10**9]
        traces = lately if minutes else newest
        services = self._sources.about().get("services", ())
        addresses = {urlsplit(str(each["url"])).netloc: str(each["name"]) for each in services}
        calls, recent = (trace.calls for trace in traces), (trace.calls for trace in lately)
        return service_map(calls, recent, window, addresses) | {"traces": len(traces)}

    async def alerts(self, request: web.Request) -> web.StreamResponse:
        alerts = self._sources.alerts
        return await self._unless_known(request, alerts.version, lambda: incidents(alerts))

    async def open_alerts(self, request: web.Request) -> web.StreamResponse:
        return self._if_new(request, {"open": self._sources.alerts.open})

    async def resources(self, request: web.Request) -> web.StreamResponse:
        sources = self._sources
        return self._if_new(request, stack(sources.resources(), sources.identity.bindings()))

    async def _unless_known(
        self, request: web.Request, version: object, make: Callable[[], Any]
    ) -> web.StreamResponse:
        """For what takes time: nothing is made as long as the version is the same."""
        tag = f'"{self._run}-{version}"'
        if request.headers.get("If-None-Match") == tag:
            return _answer(tag, None)
        return _answer(tag, await asyncio.to_thread(lambda: json.dumps(make())))

    def _if_new(self, request: web.Request, body: Any) -> web.StreamResponse:
        """For what is made at once: nothing is sent as long as it is the same."""
        text = json.dumps(body)
        tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'
        return _answer(tag, None if request.headers.get("If-None-Match") == tag else text)


def _answer(tag: str, text: str | None) -> web.Response:
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if text is None:
        return web.Response(status=304, headers=headers)
    return web.Response(text=text, content_type="application/json", headers=headers)
