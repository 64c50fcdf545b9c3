"""Spans as an OTLP `ExportTraceServiceRequest`, in protobuf's wire format and in a quarter of the usual time.

The released encoder builds a message object for each attribute, which at 100 % sampling is the largest part of what
tracing costs (docs/performance.md). tests/app/test_app_otlp.py holds every byte against it.
https://github.com/open-telemetry/opentelemetry-proto/blob/v1.10.0/opentelemetry/proto/trace/v1/trace.proto
"""

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, TraceState

_U64, _U32, _F64 = (struct.Struct(form).pack for form in ("<Q", "<I", "<d"))
_HAS_REMOTE, _IS_REMOTE = 0x100, 0x200
KEYS_REMEMBERED, PAIRS_REMEMBERED = 1024, 2048
_LATEST = (1 << 63) - 1
# Beyond this Python refuses to write a number in decimal.
_DECIMAL_BITS = 10_000

_keys: dict[str, bytes] = {}
_pairs: dict[tuple[str, str], bytes] = {}


def encode(spans: Sequence[ReadableSpan]) -> bytes:
    """The request's body. What is no UTF-8 is replaced, what is no value left empty.

    Raises RecursionError for a value that contains itself, and what iterating over a value of its own kind raises.
    """
    grouped: dict[int, tuple[Resource, dict[Any, list[bytes]]]] = {}
    for span in spans:
        _, scopes = grouped.setdefault(id(span.resource), (span.resource, {}))
        scopes.setdefault(span.instrumentation_scope, []).append(_span(span))
    return b"".join(_field(b"\x0a", _resource_spans(*group)) for group in grouped.values())


def _resource_spans(resource: Resource, scopes: Mapping[InstrumentationScope | None, list[bytes]]) -> bytes:
    parts = [_field(b"\x0a", _attributes(b"\x0a", resource.attributes))]
    for scope, spans in scopes.items():
        about = _scope(scope) if scope else b""
        url = _text(b"\x1a", scope.schema_url if scope else None)
        parts.append(_field(b"\x12", _field(b"\x0a", about) + b"".join(spans) + url))
    return b"".join(parts) + _text(b"\x1a", resource.schema_url)


def _scope(scope: InstrumentationScope) -> bytes:
    attributes = _attributes(b"\x1a", scope.attributes or {})
    return _text(b"\x0a", scope.name) + _text(b"\x12", scope.version) + attributes


def _span(span: ReadableSpan) -> bytes:
    context = span.get_span_context()
    if context is None:
        return b""
    parent = span.parent
    body = [
        b"\x0a\x10",
        context.trace_id.to_bytes(16, "big"),
        b"\x12\x08",
        context.span_id.to_bytes(8, "big"),
        _state(context.trace_state),
        b"\x22\x08" + parent.span_id.to_bytes(8, "big") if parent else b"",
        _text(b"\x2a", span.name),
        b"\x30" + _varint(span.kind.value + 1),
        _time(b"\x39", span.start_time),
        _time(b"\x41", span.end_time),
        _attributes(b"\x4a", span.attributes or {}),
        _count(b"\x50", span.dropped_attributes),
        b"".join([_field(b"\x5a", _event(event)) for event in span.events]),
        _count(b"\x60", span.dropped_events),
        b"".join([_field(b"\x6a", _link(link)) for link in span.links]),
        _count(b"\x70", span.dropped_links),
        _field(b"\x7a", _status(span.status)),
        b"\x85\x01",
        _flags(parent),
    ]
    return _field(b"\x12", b"".join(body))


def _event(event: Event) -> bytes:
    return (
        _time(b"\x09", event.timestamp)
        + _text(b"\x12", event.name)
        + _attributes(b"\x1a", event.attributes or {})
        + _count(b"\x20", event.dropped_attributes)
    )


def _link(link: Link) -> bytes:
    context = link.context
    ids = (
        b"\x0a\x10" + context.trace_id.to_bytes(16, "big") + b"\x12\x08" + context.span_id.to_bytes(8, "big")
    )
    attributes = _attributes(b"\x22", link.attributes or {})
    return ids + attributes + _count(b"\x28", link.dropped_attributes) + b"\x35" + _flags(context)


def _status(status: Status) -> bytes:
    return _text(b"\x12", status.description) + _count(b"\x18", status.status_code.value)


def _state(state: TraceState | None) -> bytes:
    return _text(b"\x1a", ",".join(f"{key}={value}" for key, value in state.items())) if state else b""


def _flags(context: SpanContext | None) -> bytes:
    return _U32(_HAS_REMOTE | _IS_REMOTE if context and context.is_remote else _HAS_REMOTE)


def _time(tag: bytes, nanoseconds: int | None) -> bytes:
    try:
        return tag + _U64(nanoseconds) if nanoseconds else b""
    except struct.error:  # an application's own: a fraction, or no time at all
        whole = int(nanoseconds) if isinstance(nanoseconds, float) and math.isfinite(nanoseconds) else 0
        return tag + _U64(min(max(whole, 0), _LATEST))


def _count(tag: bytes, number: int) -> bytes:
    return tag + _varint(number) if number else b""


def _attributes(tag: bytes, attributes: Mapping[str, Any]) -> bytes:
    parts: list[bytes] = []
    for key, value in attributes.items():
        pair = _pairs.get((key, value)) if type(value) is str else None
        if pair is None:
            pair = _pair(key, value)
        parts += tag, _LENGTHS[len(pair)] if len(pair) < len(_LENGTHS) else _varint(len(pair)), pair
    return b"".join(parts)


def _pair(key: str, value: object) -> bytes:
    pair = (_keys.get(key) or _key(key)) + _field(b"\x12", _any(value))
    # Most attributes say the same again and again; ids and paths fill this up, then each is made anew.
    if type(value) is str and len(value) < 64 and len(_pairs) < PAIRS_REMEMBERED:
        _pairs[key, value] = pair
    return pair


def _key(key: str) -> bytes:
    encoded = _field(b"\x0a", str(key).encode("utf-8", "replace"))
    if len(_keys) < KEYS_REMEMBERED:
        _keys[key] = encoded
    return encoded


def _any(value: object) -> bytes:
    if isinstance(value, str):
        return _field(b"\x0a", value.encode("utf-8", "replace"))
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        if -(1 << 63) <= value < 1 << 63:
            return b"\x18" + _varint(value & 0xFFFFFFFFFFFFFFFF)
        return _any(str(value) if value.bit_length() < _DECIMAL_BITS else hex(value))
    if isinstance(value, float):
        return b"\x21" + _F64(value)
    if isinstance(value, bytes):
        return _field(b"\x3a", value)
    if isinstance(value, Mapping):
        return _field(b"\x32", _attributes(b"\x0a", {str(key): inner for key, inner in value.items()}))
    if isinstance(value, Iterable):
        return _field(b"\x2a", b"".join(_field(b"\x0a", _any(inner)) for inner in value))
    return b""


def _text(tag: bytes, text: str | None) -> bytes:
    return _field(tag, str(text).encode("utf-8", "replace")) if text else b""


def _field(tag: bytes, content: bytes) -> bytes:
    """A length-delimited field."""
    length = len(content)
    return tag + (_LENGTHS[length] if length < len(_LENGTHS) else _varint(length)) + content


def _varint(number: int) -> bytes:
    if number < 128:
        return bytes((number,))
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)


_LENGTHS = [_varint(number) for number in range(2048)]
