"""What a backend shows of a span, to compare ours with those of OpenTelemetry's instrumentations."""

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

from app.telemetry.keeping import ATTRIBUTE


def told(span: ReadableSpan) -> dict[str, Any]:
    """All that a backend shows of a span, without what differs between any two."""
    attributes = {key: value for key, value in (span.attributes or {}).items() if key != ATTRIBUTE}
    events = [(event.name, (event.attributes or {}).get("exception.type")) for event in span.events]
    status = (span.status.status_code, span.status.description)
    own = span.instrumentation_scope
    scope = (own.name, own.version, own.schema_url) if own else None
    return {
        "name": span.name,
        "kind": span.kind,
        "attributes": attributes,
        "events": events,
        "status": status,
        "scope": scope,
    }
