"""One span per request in (FastAPI) and out (requests), by OpenTelemetry's instrumentations and stable HTTP names.

No spans for probes or for ASGI's single events, no query values, no request that fails for an odd header.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import quote_from_bytes, urlsplit

from fastapi import FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.trace import Span, StatusCode
from requests import PreparedRequest, Response
from starlette.types import ASGIApp, Receive, Scope, Send

# Matched against scheme://host/path: anchored, or every request of a host with "health" in its name would go too.
NO_SPANS = r"^https?://[^/]+/healthz$"
# google-auth asks these, one of them from a thread without a trace: their time is in `auth.refresh_token`.
NO_CLIENT_SPANS = r"^http://[^/]+/computeMetadata/,^https://iamcredentials\.[^/]+/.*/allowedLocations"
# Answers that the running code counts on: the instrumentation calls every 4xx of a client span an error.
_expected: ContextVar[frozenset[int]] = ContextVar("expected-statuses", default=frozenset())
_URL_SAFE = "".join(chr(code) for code in range(0x21, 0x7F))


def outgoing(services: Mapping[str, str]) -> None:
    """Give each call of `requests` a client span, and one to a service we know that service's name."""
    names = {urlsplit(url).netloc: name for name, url in services.items()}

    def hook(span: Span, request: PreparedRequest) -> None:
        if span.is_recording() and request.url:
            parts = urlsplit(request.url)
            if parts.query:
                span.set_attribute("url.full", parts._replace(query=redacted(parts.query)).geturl())
            if name := names.get(parts.netloc):
                span.set_attribute("peer.service", name)
                span.update_name(f"{request.method} {name}")

    def answered(span: Span, request: PreparedRequest, response: Response) -> None:
        if response is not None and response.status_code in _expected.get():
            span.set_status(StatusCode.OK)

    RequestsInstrumentor().instrument(
        request_hook=hook, response_hook=answered, excluded_urls=NO_CLIENT_SPANS
    )


@contextmanager
def expecting(*statuses: int) -> Iterator[None]:
    """Within, an answer of `requests` with one of these statuses is no error of its span."""
    token = _expected.set(frozenset(statuses))
    try:
        yield
    finally:
        _expected.reset(token)


def incoming(app: FastAPI) -> None:
    """Give each request to `app` one server span."""

    def hook(span: Span, scope: Mapping[str, Any]) -> None:
        if span.is_recording() and (query := scope.get("query_string")):
            span.set_attribute("url.query", redacted(query.decode("ascii", "replace")))

    FastAPIInstrumentor.instrument_app(
        app, server_request_hook=hook, exclude_spans=["receive", "send"], excluded_urls=NO_SPANS
    )
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: Legible(build())  # type: ignore[method-assign]  # must be outermost


def redacted(query: str) -> str:
    """The query's keys; any value may be a secret."""
    return "&".join(part.partition("=")[0] + "=REDACTED" for part in query.split("&") if part)


class Legible:
    """Re-encodes header values and queries that are not text: the instrumentation fails the request on some."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a scope in which every header is UTF-8 and the query ASCII."""
        if scope["type"] == "http":
            headers = scope["headers"]
            if not all(value.isascii() for _, value in headers):
                scope = {
                    **scope,
                    "headers": [(key, value.decode("latin-1").encode()) for key, value in headers],
                }
            if not scope["query_string"].isascii():
                scope = {**scope, "query_string": quote_from_bytes(scope["query_string"], _URL_SAFE).encode()}
        await self.app(scope, receive, send)
