"""One trace for the page: its picture, and what a single span carries; every text in both is safe to be shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from localcloud.console.sources import Sources
from localcloud.console.stored import trace_of
from localcloud.trace.shape import rfc3339
from localcloud.trace.store import Span
from traces.analysis import analyse
from traces.picture import picture
from traces.safetext import safe_name, safe_text, safe_value


def trace_picture(sources: Sources, trace_id: str) -> dict[str, Any]:
    """The picture; bucket locations are those of the object store."""
    spans, entries = sources.spans.trace(trace_id), sources.logs.of_trace(trace_id)
    locations = {str(bucket["name"]): str(bucket["location"]).lower() for bucket in sources.objects.buckets()}
    return picture(analyse(trace_of(sources.project, trace_id, spans), entries, locations))


def span_detail(span: Span) -> dict[str, Any]:
    """Times as text with nanoseconds, events in ms after the span's start; own attributes apart from the resource's."""
    return {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "name": safe_name(span.name),
        "kind": span.kind,
        "start": rfc3339(span.start_ns),
        "end": rfc3339(span.end_ns),
        "duration_ms": (span.end_ns - span.start_ns) / 1e6,
        "status": span.status,
        "status_message": safe_text(span.status_message),
        "attributes": _texts(span.attributes),
        "resource": _texts(span.resource),
        "events": [
            {
                "name": safe_name(event["name"]),
                "at_ms": (event["time_ns"] - span.start_ns) / 1e6,
                "attributes": _texts(event["attributes"]),
            }
            for event in span.events
        ],
    }


def _texts(attributes: Mapping[str, Any]) -> dict[str, str]:
    return {
        safe_name(key): safe_value(key, value if isinstance(value, str) else json.dumps(value))
        for key, value in sorted(attributes.items())
    }
