"""A span as a Cloud Trace v1 `TraceSpan`, which has labels only: resource, attributes, status and failure share them.

Ours, as v1 defines no names for them: `otel.status_code` and `otel.status_description` (the OpenTelemetry
specification's names for formats without a status), and `exception.type` and `exception.message` of the last
exception event. v1 cannot express other events, stack traces, links or the kinds INTERNAL, PRODUCER and CONSUMER.
"""

import json
from collections.abc import Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from localcloud.trace.store import Span

_KINDS = {"SERVER": "RPC_SERVER", "CLIENT": "RPC_CLIENT"}


def trace_json(project: str, trace_id: str, spans: Sequence[Span]) -> dict[str, Any]:
    """One trace as `projects.traces` returns it, with the spans that the view shows."""
    shape: dict[str, Any] = {"projectId": project, "traceId": trace_id}
    return shape | ({"spans": [span_json(span) for span in spans]} if spans else {})


def span_json(span: Span) -> dict[str, Any]:
    """Ids are decimal, times RFC 3339 with up to nanoseconds, label values text."""
    shape = {
        "spanId": str(int(span.span_id, 16)),
        "kind": _KINDS.get(span.kind, "SPAN_KIND_UNSPECIFIED"),
        "name": span.name,
        "startTime": rfc3339(span.start_ns),
        "endTime": rfc3339(span.end_ns),
        "labels": labels(span),
    }
    return shape | ({"parentSpanId": str(int(span.parent_id, 16))} if span.parent_id else {})


def labels(span: Span) -> dict[str, str]:
    """Resource attributes, overridden by the span's own, then status and the last exception."""
    merged: dict[str, Any] = {**span.resource, **span.attributes}
    if span.status != "UNSET":
        merged["otel.status_code"] = span.status
    if span.status_message:
        merged["otel.status_description"] = span.status_message
    for event in span.events:
        if event["name"] == "exception":
            found = event["attributes"]
            merged |= {key: found[key] for key in ("exception.type", "exception.message") if key in found}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in merged.items()}


def rfc3339(nanoseconds: int) -> str:
    """Time since the epoch as text, e.g. `2026-01-31T12:00:00.000000001Z`."""
    stamp = Timestamp()
    stamp.FromNanoseconds(nanoseconds)
    return stamp.ToJsonString()
