"""The service of these tests: the template with other routes, as a fork has it, and with faults on demand.

The query of `GET /work` says per service what that one does before it calls the next with the same query: `500` answers
so, `503-once` only at a trace's first attempt, `2100-ms` takes that long, `hang` lasts until its client has gone,
`8123-port` first asks what listens there, and `forgets` calls the next by a client that knows nothing of traces. `GET /` calls nobody.
"""

import asyncio
import http.client
import json
import sys
from typing import Any
from urllib.parse import urlsplit

from app import __main__ as program

TRACE_HEADERS = ("traceparent", "tracestate", "x-cloud-trace-context", "x-original-traceparent")


def install(app: Any, settings: Any) -> None:
    """What `app/routes.py` is for the template. Imports what it needs after telemetry, as that file does."""
    import requests
    from fastapi import Request

    from app import deadline
    from app.problems import Problem, current_trace_id

    deadline.install(app, settings)
    call_next, forgetful, failed = _next(settings), _forgetful(settings), set[str]()

    async def work(request: Request) -> dict[str, Any]:
        wanted, _, how = request.query_params.get(settings.name, "").partition("-")
        if wanted.isdigit() and how == "ms":
            await asyncio.sleep(int(wanted) / 1000)
        elif wanted.isdigit() and how == "port":
            limit = deadline.of_this_request()
            await limit.run(requests.get, f"http://127.0.0.1:{wanted}/")
        elif wanted.isdigit() and not (how == "once" and current_trace_id() in failed):
            failed.add(current_trace_id())
            raise Problem(int(wanted), "as asked")
        if wanted == "hang":
            await _gone(request)
        call = forgetful if wanted == "forgets" else call_next
        return {
            "trace_id": current_trace_id(),
            "address": "{}:{}".format(*request.scope["server"]),  # the container's own
            "headers": {name: request.headers[name] for name in TRACE_HEADERS if name in request.headers},
            "next": await call(f"/work?{request.url.query}"),
        }

    async def about() -> dict[str, str]:
        return {"trace_id": current_trace_id()}

    app.add_api_route("/work", work, response_model=None)
    app.add_api_route("/", about, response_model=None)


async def _gone(request: Any) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _next(settings: Any) -> Any:
    """The public service calls by httpx, the others by requests: a chain has both."""
    from app import deadline
    from app.async_calls import AsyncNextService
    from app.calls import NextService

    async def nobody(path: str) -> None:
        return None

    async def by_httpx(path: str) -> Any:
        async with await httpx_service.call("GET", path) as answer:
            return {**await answer.json(), "traceresponse": answer.headers.get("traceresponse")}

    async def by_requests(path: str) -> Any:
        limit = deadline.of_this_request()
        answer = await limit.run(requests_service.call, "GET", path, limit)
        return {**await limit.run(answer.json), "traceresponse": answer.headers.get("traceresponse")}

    for name, url in settings.service_urls.items():
        httpx_service, requests_service = AsyncNextService(name, url), NextService(name, url)
        return by_httpx if settings.service_public else by_requests
    return nobody


def _forgetful(settings: Any) -> Any:
    """By http.client, which nothing instruments: with our identity, without trace headers."""
    from app import deadline
    from app.identity import Refreshed

    def ask(url: str, path: str, limit: Any) -> Any:
        headers = {"authorization": f"Bearer {Refreshed(audience=url).current(limit).token}"}
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            return json.load(connection.getresponse())
        finally:
            connection.close()

    async def call(path: str) -> Any:
        limit = deadline.of_this_request()
        return await limit.run(ask, next(iter(settings.service_urls.values())), path, limit)

    return call


if __name__ == "__main__":
    sys.modules["app.routes"] = sys.modules[__name__]
    program.main()
