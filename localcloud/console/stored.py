"""Spans of the store as the analysis reads them, without the way through Cloud Trace's JSON."""

from __future__ import annotations

from collections.abc import Iterable

from localcloud.trace import store
from localcloud.trace.shape import labels
from traces.safetext import safe_name
from traces.span import Span, Trace

_NAMES = (
    "service.name",
    "faas.name",
    "g.co/r/cloud_run_revision/service_name",
    "peer.service",
    "server.address",
    "gcp.gcs.bucket",
)


def span_of(span: store.Span) -> Span:
    """What `traces.span.span_from_json` makes of the span's v1 form, its names made fit to be shown."""
    kind = span.kind if span.kind in ("SERVER", "CLIENT") else "INTERNAL"
    end = max(span.start_ns, span.end_ns)
    name = safe_name(span.name) or "(no name)"
    own = labels(span)
    own |= {key: safe_name(own[key]) for key in _NAMES if key in own}
    return Span(span.span_id, span.parent_id, name, kind, span.start_ns, end, own)


def trace_of(project: str, trace_id: str, spans: Iterable[store.Span]) -> Trace:
    """A whole trace."""
    return Trace(trace_id, project, tuple(span_of(span) for span in spans))
