"""One span per outgoing request: of `requests` our own, as cheap as the server's; of `httpx` OpenTelemetry's.

Each is applied when its library is imported, so that a service pays for neither unless it uses it. No query values.
"""

import functools
import random
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

import wrapt
from opentelemetry.context import (
    _SUPPRESS_HTTP_INSTRUMENTATION_KEY,
    _SUPPRESS_INSTRUMENTATION_KEY,
    Context,
    attach,
    detach,
    get_current,
)
from opentelemetry.instrumentation.utils import _SUPPRESS_INSTRUMENTATION_KEY_PLAIN
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import Span, SpanContext, StatusCode, get_current_span
from opentelemetry.trace.propagation import _SPAN_KEY

from app.telemetry.client_span import ClientSpan
from app.telemetry.keeping import keep
from app.telemetry.parts import Parts
from app.telemetry.propagation import FLAGS, RESPONSE, is_kept, outgoing_headers
from app.telemetry.redaction import without_values

# google-auth asks these, one of them from a thread without a trace: their time is in `auth.refresh_token`.
NO_SPANS = re.compile(r"http://[^/]+/computeMetadata/|https://iamcredentials\.[^/]+/.*/allowedLocations")
# As OpenTelemetry's instrumentations look for them, without a function call for each.
_SUPPRESSED = (
    _SUPPRESS_INSTRUMENTATION_KEY,
    _SUPPRESS_INSTRUMENTATION_KEY_PLAIN,
    _SUPPRESS_HTTP_INSTRUMENTATION_KEY,
)
# Answers that the running code counts on: the instrumentations call every 4xx of a client span an error.
_expected: ContextVar[frozenset[int]] = ContextVar("expected-statuses", default=frozenset())


def outgoing(services: Mapping[str, str], parts: Parts, resource: Resource) -> None:
    """Give each call of `requests` and `httpx` a client span, and one to a service we know that service's name."""
    known = Known({urlsplit(url).netloc: name for name, url in services.items()})
    wrapt.register_post_import_hook(lambda module: trace_requests(module, known, parts, resource), "requests")
    wrapt.register_post_import_hook(lambda module: _httpx(known), "httpx")


@contextmanager
def expecting(*statuses: int) -> Iterator[None]:
    """Within, an answer with one of these statuses is no error of its span."""
    token = _expected.set(frozenset(statuses))
    try:
        yield
    finally:
        _expected.reset(token)


class Known:
    """The services that we may call, by network location."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def name(self, url: str) -> str:
        """The name of the service at `url`, "" for any other address."""
        return self._names.get(urlsplit(url).netloc, "") if self._names else ""

    def answered(self, span: Span, url: str, status: int, kept: str | None) -> None:
        """Keep our part if one of our services says in `traceresponse` (`kept`) that it keeps its own."""
        if status in _expected.get():
            span.set_status(StatusCode.OK)
        if kept and self.name(url) and is_kept(kept, span.get_span_context().trace_id):
            keep("downstream")


def trace_requests(module: Any, known: Known, parts: Parts, resource: Resource) -> None:
    """Wrap `requests.Session.send`: one span for each call, redirects included, and the headers that carry it on."""
    plain = module.Session.send

    @functools.wraps(plain)
    def send(session: Any, request: Any, **options: Any) -> Any:
        context = get_current()
        if any(map(context.get, _SUPPRESSED)) or NO_SPANS.match(request.url or ""):
            return plain(session, request, **options)
        span = _started(context, parts, resource)
        token = None
        try:
            span.method, span.url = request.method or "", request.url or ""
            span.service = known.name(span.url)
            span.user_agent = request.headers.get("User-Agent") or ""
            request.headers.update(outgoing_headers(span.get_span_context()))
            token = attach(Context({**context, _SPAN_KEY: span, _SUPPRESS_HTTP_INSTRUMENTATION_KEY: True}))
            response = plain(session, request, **options)
        except BaseException as error:
            span.failed(error)
            raise
        else:
            span.answered(response.status_code, getattr(response.raw, "version", 0))
            known.answered(span, span.url, response.status_code, response.headers.get(RESPONSE))
            return response
        finally:
            if token is not None:
                detach(token)
            span.close()

    module.Session.send = send


def _started(context: Context, parts: Parts, resource: Resource) -> ClientSpan:
    parent = get_current_span(context).get_span_context()
    span_id = random.getrandbits(64) or 1
    if parent.is_valid:
        trace_id, state, is_random = parent.trace_id, parent.trace_state, parent.trace_flags.random_trace_id
    else:
        trace_id, state, is_random = random.getrandbits(128) or 1, None, True
    flags = FLAGS[parts.sampler.keeps(trace_id) | is_random << 1]
    ids = SpanContext(trace_id, span_id, False, flags, state)
    local = parent if parent.is_valid else None
    return ClientSpan(parts, ids, local, parts.part_of(context, local, trace_id, span_id), resource)


def _httpx(known: Known) -> None:
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

    def request(span: Span, request: Any) -> None:
        url = str(request.url)
        if "?" in url or "#" in url:
            span.set_attribute("url.full", without_values(url))
        if name := known.name(url):
            span.set_attribute("peer.service", name)
            span.update_name(f"{request.method.decode()} {name}")

    def response(span: Span, request: Any, response: Any) -> None:
        known.answered(span, str(request.url), response.status_code, _header(response.headers))

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
