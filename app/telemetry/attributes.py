"""Names and attributes of spans, by OpenTelemetry's own FastAPI, ASGI and requests instrumentations (stable HTTP names).

Imported when the first span is exported, and asked for exported spans only. An allow-list: only what was noted down
can ever reach a span.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_from_bytes

import requests
from opentelemetry.context import Context, attach, detach
from opentelemetry.instrumentation import fastapi as library
from opentelemetry.instrumentation import requests as client_library
from opentelemetry.instrumentation._semconv import _get_schema_url, _StabilityMode
from opentelemetry.instrumentation.asgi import collect_request_attributes, set_status_code
from opentelemetry.instrumentation.fastapi.version import __version__
from opentelemetry.instrumentation.requests.version import __version__ as client_version
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Status
from opentelemetry.util.types import AttributeValue

from app.telemetry.redaction import redacted

_SCHEMA = _get_schema_url(_StabilityMode.HTTP)
SERVER = InstrumentationScope(library.__name__, __version__, _SCHEMA)
CLIENT = InstrumentationScope(client_library.__name__, client_version, _SCHEMA)
MAX_BYTES = 4096
# Descriptions remembered, until there are so many: paths with ids in them, or odd user agents.
KNOWN = 256

_known: dict[tuple[Any, ...], tuple[str, dict[str, AttributeValue]]] = {}
_known_calls: dict[tuple[Any, ...], tuple[str, dict[str, AttributeValue], Status | None]] = {}
# Without types of their own.
_collect: Any = collect_request_attributes
_set_status: Any = set_status_code
_URL_SAFE = "".join(chr(code) for code in range(0x21, 0x7F))


def of_request(request: Mapping[str, Any]) -> tuple[str, dict[str, AttributeValue]]:
    """Name and attributes for the noted part of an ASGI scope. Values of the query are redacted, headers made text."""
    query, client = _query(request["query_string"]), request["client"]
    if query:
        return _described(request, query, client)
    # Of an endpoint's requests most differ in nothing but the client's address.
    key = (
        *(request[name] for name in ("type", "method", "path", "root_path", "scheme", "http_version", "app")),
        *(request["server"] or ()),
        *map(tuple, request["headers"]),
    )
    known = _known.get(key)
    if known is None:
        known = _described(request, b"", None)
        if len(_known) >= KNOWN:
            _known.clear()
        _known[key] = known
    name, attributes = known
    address = {"client.address": client[0], "client.port": client[1]} if client else {}
    return name, {**attributes, **address}


def _described(
    request: Mapping[str, Any], query: bytes, client: tuple[str, int] | None
) -> tuple[str, dict[str, AttributeValue]]:
    scope = {
        **request,
        "path": request["path"][:MAX_BYTES],
        "query_string": query,
        "client": client,
        "headers": [(name, _text(value)) for name, value in request["headers"]],
    }
    name, of_route = library._get_default_span_details(scope)
    return name, {**_collect(scope, _StabilityMode.HTTP), **of_route}


def of_status(status: int) -> tuple[dict[str, AttributeValue], Status | None]:
    """Attributes and span status for an HTTP status; 0 stands for none."""
    told = _Told()
    if status:
        _set_status(told, status, None, _StabilityMode.HTTP)
    return told.attributes, told.status


def of_call(
    method: str, url: str, user_agent: str, status: int, version: int
) -> tuple[str, dict[str, AttributeValue], Status | None]:
    """Name, attributes and span status of a call by `requests`; status 0 stands for no answer."""
    key = (method, url, user_agent, status, version)
    known = _known_calls.get(key)
    if known is None:
        known = _called(*key)
        if len(_known_calls) >= KNOWN:
            _known_calls.clear()
        if len(url) <= MAX_BYTES:
            _known_calls[key] = known
    name, attributes, told = known
    return name, dict(attributes), told


def _called(
    method: str, url: str, user_agent: str, status: int, version: int
) -> tuple[str, dict[str, AttributeValue], Status | None]:
    call = _Call(method, url, {"User-Agent": user_agent} if user_agent else {})
    if status:
        call.answer = requests.Response()
        call.answer.status_code, call.answer.raw = status, SimpleNamespace(version=version)
    token = attach(Context())  # the outbox's thread has instrumentation switched off
    try:
        _describe(_NoSession(), call)
    finally:
        detach(token)
    told = call.told
    return told.name, told.attributes, told.status


def _query(query: bytes) -> bytes:
    return redacted(quote_from_bytes(query[:MAX_BYTES], _URL_SAFE)).encode() if query else b""


def _text(value: bytes) -> bytes:
    # The instrumentation fails on header values that are not UTF-8.
    return value[:MAX_BYTES] if value.isascii() else value[:MAX_BYTES].decode("latin-1").encode()


class _Told:
    """What an instrumentation would do to a span."""

    def __init__(self, name: str = "", attributes: Mapping[str, AttributeValue] | None = None) -> None:
        self.name = name
        self.attributes: dict[str, AttributeValue] = dict(attributes or {})
        self.status: Status | None = None

    def is_recording(self) -> bool:
        return True

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        self.attributes[key] = value

    def set_status(self, status: Status) -> None:
        self.status = status


class _Call:
    """Stands for a PreparedRequest whose answer is known."""

    def __init__(self, method: str, url: str, headers: dict[str, str]) -> None:
        self.method, self.url, self.headers = method, url, headers
        self.answer: requests.Response | None = None
        self.told = _Told()


class _NoSession:
    """Stands for `requests.Session` within the instrumentation: its answer is the one that was got."""

    def send(self, call: _Call) -> requests.Response | None:
        return call.answer


class _Tracer:
    """Stands for a tracer: its spans are told, not started."""

    @contextmanager
    def start_as_current_span(
        self, name: str, kind: object, attributes: Mapping[str, AttributeValue]
    ) -> Iterator[_Told]:
        yield _Told(name, attributes)


def _note(told: _Told, call: _Call) -> None:
    call.told = told


def _describing() -> Any:
    """The instrumentation's `Session.send`, around _NoSession instead of the real one, which stays as it is."""
    real: Any = client_library
    session, real.Session = real.Session, _NoSession
    try:
        real._instrument(_Tracer(), None, None, request_hook=_note, sem_conv_opt_in_mode=_StabilityMode.HTTP)
    finally:
        real.Session = session
    return _NoSession.send


_describe = _describing()
