"""Name and attributes of a server span, by OpenTelemetry's own FastAPI and ASGI instrumentations (stable HTTP names).

Imported when the first span is exported. An allow-list: only what is noted in `request` can ever reach a span.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_from_bytes

from opentelemetry.instrumentation import fastapi as library
from opentelemetry.instrumentation._semconv import _get_schema_url, _StabilityMode
from opentelemetry.instrumentation.asgi import collect_request_attributes, set_status_code
from opentelemetry.instrumentation.fastapi.version import __version__
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Status
from opentelemetry.util.types import AttributeValue

from app.telemetry.redaction import redacted

SCOPE = InstrumentationScope(library.__name__, __version__, _get_schema_url(_StabilityMode.HTTP))
MAX_BYTES = 4096

# Without types of their own.
_collect: Any = collect_request_attributes
_set_status: Any = set_status_code
_URL_SAFE = "".join(chr(code) for code in range(0x21, 0x7F))


def of_request(request: Mapping[str, Any]) -> tuple[str, dict[str, AttributeValue]]:
    """Name and attributes for the noted part of an ASGI scope. Values of the query are redacted, headers made text."""
    scope = {
        **request,
        "path": request["path"][:MAX_BYTES],
        "query_string": _query(request["query_string"]),
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


def _query(query: bytes) -> bytes:
    return redacted(quote_from_bytes(query[:MAX_BYTES], _URL_SAFE)).encode() if query else b""


def _text(value: bytes) -> bytes:
    # The instrumentation fails on header values that are not UTF-8.
    return value[:MAX_BYTES] if value.isascii() else value[:MAX_BYTES].decode("latin-1").encode()


class _Told:
    """What the instrumentation would do to a span."""

    def __init__(self) -> None:
        self.attributes: dict[str, AttributeValue] = {}
        self.status: Status | None = None

    def is_recording(self) -> bool:
        return True

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        self.attributes[key] = value

    def set_status(self, status: Status) -> None:
        self.status = status
