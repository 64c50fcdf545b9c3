"""Cloud Trace v1 `projects.traces.get` and `.list`: what was written through any door. Reads need no token here."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from aiohttp import web

from localcloud.google_error import google_error
from localcloud.logs.comparison import timestamp_ns
from localcloud.paging import page, page_size
from localcloud.trace.filter import latency_ns, trace_filter
from localcloud.trace.shape import trace_json
from localcloud.trace.store import Span, TraceStore

_VIEWS: Mapping[str, Callable[[Sequence[Span]], Sequence[Span]]] = {
    "VIEW_TYPE_UNSPECIFIED": lambda spans: (),
    "MINIMAL": lambda spans: (),
    "ROOTSPAN": lambda spans: [span for span in spans if not span.parent_id],
    "COMPLETE": lambda spans: spans,
}
_ORDERS: Mapping[str, Callable[[Span, Sequence[Span]], Any]] = {
    "trace_id": lambda root, spans: root.trace_id,
    "name": lambda root, spans: root.name,
    "duration": lambda root, spans: root.end_ns - root.start_ns if not root.parent_id else latency_ns(spans),
    "start": lambda root, spans: root.start_ns,
}


def trace_routes(store: TraceStore, project: str) -> list[web.RouteDef]:
    """`GET /v1/projects/{p}/traces/{t}` and `GET /v1/projects/{p}/traces`, of this project only."""

    async def get(request: web.Request) -> web.Response:
        spans = store.trace(request.match_info["trace"])
        if request.match_info["project"] != project or not spans:
            return google_error(HTTPStatus.NOT_FOUND, "Resource not found.")
        return web.json_response(trace_json(project, spans[0].trace_id, spans))

    async def list_traces(request: web.Request) -> web.Response:
        if request.match_info["project"] != project:
            return google_error(HTTPStatus.NOT_FOUND, "Resource not found.")
        try:
            return web.json_response(_list(store, project, request.query))
        except ValueError as error:
            return google_error(HTTPStatus.BAD_REQUEST, f"Request contains an invalid argument: {error}.")

    path = "/v1/projects/{project}/traces"
    return [web.get(path, list_traces), web.get(path + "/{trace}", get)]


def _list(store: TraceStore, project: str, query: Mapping[str, str]) -> dict[str, Any]:
    """Without `orderBy`, the newest trace is first; times compare with the start of a trace's first span."""
    view = query.get("view", "MINIMAL")
    field, _, direction = query.get("orderBy", "start desc").partition(" ")
    if view not in _VIEWS or field not in _ORDERS or direction not in ("", "desc"):
        raise ValueError(
            f"view '{view}' is one of {list(_VIEWS)}, orderBy one of {list(_ORDERS)} with or without ' desc'"
        )
    start = timestamp_ns(query["startTime"]) if "startTime" in query else 0
    end = timestamp_ns(query["endTime"]) if "endTime" in query else 2**64
    matches = trace_filter(query.get("filter", ""))
    traces, token = page(
        [spans for spans in store.recent() if start <= spans[0].start_ns <= end and matches(spans)],
        lambda spans: [_ORDERS[field](_root(spans), spans), spans[0].trace_id],
        size=page_size(query.get("pageSize"), 100, 1000),
        token=query.get("pageToken"),
        descending=direction == "desc",
    )
    shapes = [trace_json(project, spans[0].trace_id, _VIEWS[view](spans)) for spans in traces]
    return {"traces": shapes} | ({"nextPageToken": token} if token else {})


def _root(spans: Sequence[Span]) -> Span:
    """The first span without a parent; the first span of a trace that has lost its root."""
    return next((span for span in spans if not span.parent_id), spans[0])
