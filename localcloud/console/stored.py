"""Spans of the store as the analysis reads them, without the way through Cloud Trace's JSON.

A list asks a hundred thousand spans for a few labels each: for that alone there are readers here that merge nothing.
They say what `traces.span.Span` says, which a test compares.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from localcloud.trace import store
from localcloud.trace.shape import labels
from traces.span import INSTANCE_START, Span, Trace

_SERVICE = ("service.name", "faas.name", "g.co/r/cloud_run_revision/service_name")
_STATUS = ("http.response.status_code", "/http/status_code", "http.status_code")
_ERROR = ("error.type", "/error/name")
_REASON = "sampling.keep_reason"


def span_of(span: store.Span) -> Span:
    """What `traces.span.span_from_json` makes of the span's v1 form."""
    kind = span.kind if span.kind in ("SERVER", "CLIENT") else "INTERNAL"
    end = max(span.start_ns, span.end_ns)
    name = span.name or "(no name)"
    return Span(span.span_id, span.parent_id, name, kind, span.start_ns, end, labels(span))


def trace_of(project: str, trace_id: str, spans: Iterable[store.Span]) -> Trace:
    """A whole trace."""
    return Trace(trace_id, project, tuple(span_of(span) for span in spans))


def entry_of(spans: Sequence[store.Span]) -> store.Span:
    """Where the request came in, without building a tree: the first span without a parent; of all if each has lost its own."""
    known = {span.span_id for span in spans}
    work = [span for span in spans if span.name != INSTANCE_START] or spans
    roots = [span for span in work if span.parent_id not in known]
    return min(roots or work, key=lambda span: (bool(span.parent_id), span.start_ns, -span.end_ns))


def is_platform(span: store.Span) -> bool:
    """As `Span.is_platform`."""
    return _first(span, ("blueprint.source",)) == "platform" or _first(span, ("/component",)) == "AppServer"


def service_of(span: store.Span) -> str:
    """As `Span.service` of an application's span; of the platform's, whose request it was."""
    return _first(span, _SERVICE) or "unknown"


def has_failed(span: store.Span) -> bool:
    """As `traces.picture.is_failure`."""
    status = _http_status(span)
    return status >= 500 or (not 400 <= status < 500 and _is_error(span))


def status_of(span: store.Span) -> str:
    """As `Span.status`."""
    return str(_http_status(span) or ("ERROR" if _is_error(span) else ""))


def kept_because(span: store.Span) -> str:
    """Why its service kept its part; empty for all but server spans."""
    return str(span.attributes.get(_REASON, ""))


def _http_status(span: store.Span) -> int:
    text = _first(span, _STATUS)
    return int(text) if text.isascii() and text.isdigit() else 0


def _is_error(span: store.Span) -> bool:
    return span.status == "ERROR" or bool(_first(span, _ERROR))


def _first(span: store.Span, keys: Sequence[str]) -> str:
    for key in keys:
        value = span.attributes.get(key)
        if value is None:
            value = span.resource.get(key)
        if value is not None and value != "":
            return str(value)
    return ""
