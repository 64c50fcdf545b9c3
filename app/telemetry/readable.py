"""The exported form of a span, copied with some fields changed: the SDK offers no way to change one that has ended."""

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan


def copied(span: ReadableSpan, **changed: Any) -> ReadableSpan:
    """`span` with the fields `changed`, by their names in `ReadableSpan`."""
    same = {
        "name": span.name,
        "context": span.get_span_context(),
        "parent": span.parent,
        "resource": span.resource,
        "attributes": span.attributes,
        "events": span.events,
        "links": span.links,
        "kind": span.kind,
        "status": span.status,
        "start_time": span.start_time,
        "end_time": span.end_time,
        "instrumentation_scope": span.instrumentation_scope,
    }
    return ReadableSpan(**{**same, **changed})
