"""Spans are read alike from both protocols."""

from google.cloud.trace_v2.types import BatchWriteSpansRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench import spans
from bench.spans import Span

TRACE, SPAN, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"
EXPECTED = Span("gateway", TRACE, SPAN, PARENT, "GET /chain", True, True, {"http.status_code": "502"})


def _otlp() -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "gateway"
    span = group.scope_spans.add().spans.add(
        trace_id=bytes.fromhex(TRACE),
        span_id=bytes.fromhex(SPAN),
        parent_span_id=bytes.fromhex(PARENT),
        name="GET /chain",
        kind=2,
    )
    span.status.code = 2
    span.attributes.add(key="http.status_code").value.int_value = 502
    return request.SerializeToString()


def _cloud_trace() -> bytes:
    labels = {"service.name": {"string_value": {"value": "gateway"}}, "http.status_code": {"int_value": 502}}
    span = {
        "name": f"projects/bench/traces/{TRACE}/spans/{SPAN}",
        "span_id": SPAN,
        "parent_span_id": PARENT,
        "display_name": {"value": "GET /chain"},
        "span_kind": 2,
        "status": {"code": 2},
        "attributes": {"attribute_map": labels},
    }
    return BatchWriteSpansRequest.serialize(BatchWriteSpansRequest(name="projects/bench", spans=[span]))


def test_otlp() -> None:
    """The service is the resource's."""
    assert list(spans.from_otlp(_otlp())) == [EXPECTED]


def test_cloud_trace() -> None:
    """The service is a label, as this protocol has no resource."""
    (found,) = spans.from_cloud_trace(_cloud_trace())
    assert found.attributes.pop("service.name") == "gateway"
    assert found == EXPECTED
