"""The figures that automation reads of one request (`demo --json`): pure functions of spans and log entries."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from traces.analysis import Analysis
from traces.span import Trace
from traces.tree import Tree
from traces.verdict import Verdict


class Summary(TypedDict):
    """One request; `latency_ms` and `status` are the client's own."""

    status: int
    latency_ms: float
    trace_id: str
    services: list[str]
    spans: int
    orphan_spans: int
    log_entries: int


class CulpritRecord(TypedDict):
    """The hop at fault; `share` from 0 to 1."""

    span: str
    service: str
    share: float
    reason: str


def summary(trace: Trace, entries: Sequence[Mapping[str, Any]], *, status: int, latency_ms: float) -> Summary:
    """Services are the application's, in call order, each once."""
    tree = Tree(trace.spans)
    services = dict.fromkeys(span.service for _, span in tree.walk() if not span.is_platform)
    return Summary(
        status=status,
        latency_ms=round(latency_ms, 1),
        trace_id=trace.trace_id,
        services=list(services),
        spans=len(tree),
        orphan_spans=len(tree.orphans),
        log_entries=len(entries),
    )


def late_success(analysis: Analysis) -> bool:
    """Whether another service than the entry ended later than the client's answer, and with success."""
    return any(not span.failed and (span.http_status or 0) < 400 for span in analysis.late_services)


def culprit_record(verdict: Verdict) -> CulpritRecord:
    return CulpritRecord(
        span=verdict.span, service=verdict.service, share=round(verdict.share, 4), reason=verdict.reason
    )
