"""One shape for spans from both protocols: OTLP, and the Cloud Trace API v2 with its labels."""

from collections.abc import Iterator
from typing import Any, NamedTuple

# google.devtools.cloudtrace.v2.Span.SpanKind and opentelemetry.proto.trace.v1.Span.SpanKind number alike.
SERVER_KIND = 2
_OTLP_ERROR = 2


class Span(NamedTuple):
    """What the figures ask of a span."""

    service: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    server: bool
    error: bool
    attributes: dict[str, str]


def from_otlp(body: bytes) -> Iterator[Span]:
    """The spans of an ExportTraceServiceRequest."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    for group in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = _otlp_attributes(group.resource.attributes).get("service.name", "")
        for span in (span for scope in group.scope_spans for span in scope.spans):
            yield Span(
                service,
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                span.name,
                span.kind == SERVER_KIND,
                span.status.code == _OTLP_ERROR,
                _otlp_attributes(span.attributes),
            )


def from_cloud_trace(body: bytes) -> Iterator[Span]:
    """The spans of a BatchWriteSpansRequest, which has no resource: the exporter made labels of it."""
    from google.cloud.trace_v2.types import BatchWriteSpansRequest

    for span in BatchWriteSpansRequest.pb(BatchWriteSpansRequest.deserialize(body)).spans:
        labels = _labels(span)
        yield Span(
            labels.get("service.name", ""),
            span.name.split("/")[3],
            span.span_id,
            span.parent_span_id,
            span.display_name.value,
            span.span_kind == SERVER_KIND,
            span.status.code != 0,
            labels,
        )


def _otlp_attributes(pairs: Any) -> dict[str, str]:
    return {
        pair.key: str(getattr(pair.value, pair.value.WhichOneof("value") or "string_value")) for pair in pairs
    }


def _labels(span: Any) -> dict[str, str]:
    def text(value: Any) -> str:
        kind = value.WhichOneof("value")
        return (
            value.string_value.value if kind == "string_value" else str(getattr(value, kind)) if kind else ""
        )

    return {key: text(value) for key, value in span.attributes.attribute_map.items()}
