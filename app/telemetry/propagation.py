"""Trace context in and out: `traceparent`, `X-Cloud-Trace-Context`, and `x-original-traceparent`.

A Google front end keeps the trace id but replaces the parent's span id with one that is hardly ever exported. The
caller's own context therefore travels a second time in `x-original-traceparent`, believed on private services only.
"""

import re
from collections.abc import Iterable

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
from opentelemetry.trace import NonRecordingSpan, SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.telemetry.ids import keep_trace_id

ORIGINAL = "x-original-traceparent"
GOOGLE = "x-cloud-trace-context"

_W3C = TraceContextTextMapPropagator()
_TRACE_ONLY = re.compile(r"([0-9a-f]{32})(?:;o=[0-9])?")


class CloudRunPropagator(TextMapPropagator):
    """Reads the Google header, then W3C (which wins), then repairs the parent. Writes all three headers.

    No header, however malformed, raises or changes another trace.
    """

    def __init__(self, *, public: bool) -> None:
        self._public = public
        self._platform: Iterable[TextMapPropagator] = (CloudTraceFormatPropagator(), _W3C)

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        """`context` with the request's parent span, or with only its trace id kept when there is none to trust."""
        base = Context() if context is None else context
        arrived = self._arrived(carrier, base, getter)
        if not arrived.trace_id:
            return base
        caller = None if self._public else _caller(carrier, getter)
        if caller is not None and caller.trace_id == arrived.trace_id:
            # The ids are the caller's; the flag stays the delivered one, so nobody steers it by this header.
            repaired = SpanContext(
                caller.trace_id, caller.span_id, True, arrived.trace_flags, arrived.trace_state
            )
            return trace.set_span_in_context(NonRecordingSpan(repaired), base)
        if arrived.is_valid and arrived.trace_flags.sampled:
            return trace.set_span_in_context(NonRecordingSpan(arrived), base)
        return keep_trace_id(arrived, base)

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        """Write the current span's context in each form. What a request arrived with is never passed on."""
        for propagator in self._platform:
            propagator.inject(carrier, context, setter)
        own: dict[str, str] = {}
        _W3C.inject(own, context)
        if "traceparent" in own:
            setter.set(carrier, ORIGINAL, own["traceparent"])

    @property
    def fields(self) -> set[str]:
        """The headers written."""
        return {"traceparent", "tracestate", GOOGLE, ORIGINAL}

    def _arrived(self, carrier: CarrierT, base: Context, getter: Getter[CarrierT]) -> SpanContext:
        context = base
        for propagator in self._platform:
            try:
                context = propagator.extract(carrier, context, getter)
            except Exception:  # a stranger's header is no reason for a log line
                continue
        arrived = trace.get_current_span(context).get_span_context()
        return arrived if arrived.is_valid else _trace_only(carrier, getter) or arrived


def _single(carrier: CarrierT, getter: Getter[CarrierT], header: str) -> str:
    try:
        values = getter.get(carrier, header) or []
    except Exception:
        return ""
    return values[0] if len(values) == 1 else ""


def _trace_only(carrier: CarrierT, getter: Getter[CarrierT]) -> SpanContext | None:
    # "TRACE_ID" without a span is legal in the Google header; the released propagator drops it.
    match = _TRACE_ONLY.fullmatch(_single(carrier, getter, GOOGLE))
    return SpanContext(int(match.group(1), 16), 0, True) if match else None


def _caller(carrier: CarrierT, getter: Getter[CarrierT]) -> SpanContext | None:
    context = _W3C.extract({"traceparent": _single(carrier, getter, ORIGINAL)}, Context())
    caller = trace.get_current_span(context).get_span_context()
    return caller if caller.is_valid else None
