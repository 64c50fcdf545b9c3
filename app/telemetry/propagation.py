"""Trace context in and out: `traceparent`, `X-Cloud-Trace-Context`, and `x-original-traceparent`.

A Google front end keeps the trace id but replaces the parent's span id with one that is hardly ever exported. The
caller's own context therefore travels a second time in `x-original-traceparent`, believed on private services only.
"""

import re
from collections.abc import Iterable, Mapping, Set
from typing import NamedTuple

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagators.cloud_trace_propagator import CloudTraceFormatPropagator
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

PARENT, STATE = "traceparent", "tracestate"
GOOGLE = "x-cloud-trace-context"
ORIGINAL = "x-original-traceparent"
RESPONSE = "traceresponse"
_PARENT, _STATE, _CLOUD, _ORIGINAL = (name.encode() for name in (PARENT, STATE, GOOGLE, ORIGINAL))
# What is read of a request, as ASGI delivers it.
READ = frozenset((_PARENT, _STATE, _CLOUD, _ORIGINAL))
# As the released propagator: what every receiver must take. It travels with each call and is part of each span.
MAX_STATE = 512

_W3C, _GOOGLE = TraceContextTextMapPropagator(), CloudTraceFormatPropagator()
# What nearly every request carries; anything else valid is left to the released propagators.
_version_0 = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})").fullmatch
_google_trace_only = re.compile(rb"([0-9a-f]{32})(?:;o=[0-9])?").fullmatch
# By value: bit 0 is "sampled", bit 1 "the trace id is random" (W3C Trace Context level 2).
FLAGS = tuple(TraceFlags(flags) for flags in range(4))


class Arrived(NamedTuple):
    """What a request's headers say: the trace (0: none), whether its id is random, and the parent to trust, if any."""

    trace_id: int
    random: bool
    parent: SpanContext | None


NOTHING = Arrived(0, True, None)


def read(headers: Iterable[tuple[bytes, bytes]], names: Set[bytes] = READ) -> dict[bytes, bytes]:
    """Those of `names` among a request's headers as ASGI delivers them, empty where sent twice: then neither is believed."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in names:
            found[name] = b"" if name in found else value
    return found


def trace_id(headers: Mapping[bytes, bytes]) -> int:
    """The trace id of a valid `traceparent` of version 0, which nearly every request has; else 0."""
    match = _version_0(headers.get(_PARENT, b""))
    return int(match[1], 16) if match else 0


def arrived(headers: Mapping[bytes, bytes], *, public: bool) -> Arrived:
    """Read the headers of READ (empty where sent twice). Raises nothing, however malformed they are.

    The parent is the caller's own span on private services, else the platform's if that is sampled, so exported.
    """
    parent, original = headers.get(_PARENT, b""), headers.get(_ORIGINAL, b"")
    platform = _ids(parent) or _released(parent, headers.get(_CLOUD, b""))
    if platform is None:
        return NOTHING
    trace_id, span_id, flags = platform
    caller = _ids(original) if original and not public else None
    if caller is not None and caller[0] == trace_id:
        # The ids are the caller's; the flag stays the delivered one, so nobody steers it by this header.
        span_id = caller[1]
    elif not flags & 1 or not span_id:
        return Arrived(trace_id, flags & 2 != 0, None)
    state = _state(headers[_STATE]) if headers.get(_STATE) else None
    context = SpanContext(trace_id, span_id, True, FLAGS[flags & 3], state)
    return Arrived(trace_id, flags & 2 != 0, context)


def response_header(context: SpanContext) -> str:
    """The value of `traceresponse` by which a service says that it keeps its part (W3C Trace Context level 2)."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags | TraceFlags.SAMPLED:02x}"


def is_kept(response: str | None, trace_id: int) -> bool:
    """Whether a `traceresponse` header says that the callee keeps its part of this very trace."""
    told = _ids(response.encode("latin-1", "replace")) if response else None
    return told is not None and told[0] == trace_id and told[2] & 1 == 1


def outgoing_headers(context: SpanContext) -> dict[str, str]:
    """What a call carries: the span's context in each form, `tracestate` if there is any."""
    trace_id, flags = f"{context.trace_id:032x}", context.trace_flags
    parent = f"00-{trace_id}-{context.span_id:016x}-{flags:02x}"
    headers = {PARENT: parent, GOOGLE: f"{trace_id}/{context.span_id};o={flags & 1}", ORIGINAL: parent}
    if context.trace_state:
        headers[STATE] = context.trace_state.to_header()
    return headers


class CloudRunPropagator(TextMapPropagator):
    """The same for any carrier, as OpenTelemetry's instrumentations want it. Writes all three headers.

    What a request arrived with is never passed on, only the current span's own context.
    """

    def __init__(self, *, public: bool) -> None:
        self._public = public

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        """`context` with the parent to trust, or unchanged if there is none."""
        base = Context() if context is None else context
        headers = {name: _single(carrier, getter, name.decode()) for name in READ}
        found = arrived(headers, public=self._public).parent
        return base if found is None else trace.set_span_in_context(NonRecordingSpan(found), base)

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        """Write the current span's context in each form, as the two released propagators would."""
        span = trace.get_current_span(context).get_span_context()
        if span.is_valid:
            for name, value in outgoing_headers(span).items():
                setter.set(carrier, name, value)

    @property
    def fields(self) -> set[str]:
        """The headers written."""
        return {PARENT, STATE, GOOGLE, ORIGINAL}


def _ids(header: bytes) -> tuple[int, int, int] | None:
    """Trace id, span id and flags of a valid header of version 0."""
    match = _version_0(header)
    if match is None:
        return None
    return int(match[1], 16), int(match[2], 16), int(match[3], 16)


def _released(parent: bytes, google: bytes) -> tuple[int, int, int] | None:
    """The same as the released propagators read it: W3C wins, Google's own header is the fallback; span id 0 for none."""
    if not parent and not google:
        return None
    context = Context()
    carrier = {PARENT: parent.decode("latin-1"), GOOGLE: google.decode("latin-1")}
    for propagator in (_GOOGLE, _W3C):
        try:
            context = propagator.extract(carrier, context)
        except Exception:  # a stranger's header is no reason for a log line
            continue
    found = trace.get_current_span(context).get_span_context()
    if found.is_valid:
        return found.trace_id, found.span_id, found.trace_flags
    # "TRACE_ID" without a span is legal in the Google header; the released propagator drops it.
    match = _google_trace_only(google)
    trace_id = int(match[1], 16) if match else 0
    return (trace_id, 0, 0) if trace_id else None


def _state(header: bytes) -> TraceState | None:
    if len(header) > MAX_STATE:
        return None
    try:
        return TraceState.from_header([header.decode("latin-1")])
    except Exception:
        return None


def _single(carrier: CarrierT, getter: Getter[CarrierT], header: str) -> bytes:
    try:
        values = getter.get(carrier, header) or []
        return values[0].encode("latin-1", "replace") if len(values) == 1 else b""
    except Exception:
        return b""
