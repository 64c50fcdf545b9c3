"""One span per outgoing request, by OpenTelemetry's instrumentations of requests and httpx (stable HTTP names).

Each is applied when its library is imported, so that a service pays for neither unless it uses it. No query values.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

import wrapt
from opentelemetry.trace import Span, StatusCode

from app.telemetry.keeping import keep
from app.telemetry.propagation import RESPONSE, is_kept
from app.telemetry.redaction import redacted

# google-auth asks these, one of them from a thread without a trace: their time is in `auth.refresh_token`.
NO_SPANS = r"^http://[^/]+/computeMetadata/,^https://iamcredentials\.[^/]+/.*/allowedLocations"
# Answers that the running code counts on: the instrumentations call every 4xx of a client span an error.
_expected: ContextVar[frozenset[int]] = ContextVar("expected-statuses", default=frozenset())


def outgoing(services: Mapping[str, str]) -> None:
    """Give each call of `requests` and `httpx` a client span, and one to a service we know that service's name."""
    told = Told({urlsplit(url).netloc: name for name, url in services.items()})
    wrapt.register_post_import_hook(lambda module: _requests(told), "requests")
    wrapt.register_post_import_hook(lambda module: _httpx(told), "httpx")


@contextmanager
def expecting(*statuses: int) -> Iterator[None]:
    """Within, an answer with one of these statuses is no error of its span."""
    token = _expected.set(frozenset(statuses))
    try:
        yield
    finally:
        _expected.reset(token)


class Told:
    """What the client spans are told: before the request about its address, after it about the answer."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names  # of services, by network location

    def request(self, span: Span, method: str, url: str) -> None:
        """Name the span by the service it calls, and leave the query's keys only."""
        if not span.is_recording():
            return
        parts = urlsplit(url)
        if parts.query:
            span.set_attribute("url.full", parts._replace(query=redacted(parts.query)).geturl())
        if name := self._names.get(parts.netloc):
            span.set_attribute("peer.service", name)
            span.update_name(f"{method} {name}")

    def response(self, span: Span, url: str, status: int, kept: str | None) -> None:
        """Keep our part if one of our services says in `traceresponse` (`kept`) that it keeps its own."""
        if status in _expected.get():
            span.set_status(StatusCode.OK)
        if kept and urlsplit(url).netloc in self._names and is_kept(kept, span.get_span_context().trace_id):
            keep("downstream")


def _requests(told: Told) -> None:
    from opentelemetry.instrumentation.requests import RequestsInstrumentor

    def request(span: Span, request: Any) -> None:
        told.request(span, request.method, request.url or "")

    def response(span: Span, request: Any, response: Any) -> None:
        if response is not None:
            told.response(span, request.url or "", response.status_code, response.headers.get(RESPONSE))

    RequestsInstrumentor().instrument(request_hook=request, response_hook=response, excluded_urls=NO_SPANS)


def _httpx(told: Told) -> None:
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

    def request(span: Span, request: Any) -> None:
        told.request(span, request.method.decode(), str(request.url))

    def response(span: Span, request: Any, response: Any) -> None:
        told.response(span, str(request.url), response.status_code, _header(response.headers))

    async def async_request(span: Span, info: Any) -> None:
        request(span, info)

    async def async_response(span: Span, info: Any, answer: Any) -> None:
        response(span, info, answer)

    HTTPXClientInstrumentor().instrument(
        request_hook=request,
        response_hook=response,
        async_request_hook=async_request,
        async_response_hook=async_response,
    )


def _header(headers: Any) -> str | None:
    """`traceresponse` of httpx's headers, which may be its own type or pairs of bytes."""
    import httpx

    found: str | None = httpx.Headers(headers).get(RESPONSE)
    return found
