"""The spans of the local project, by trace, in memory and bounded: whole old traces go first.

Both doors and the front ends write here; nothing is sampled, joined or corrected on the way in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any


@dataclass(frozen=True)
class Span:
    """One finished span. Times are nanoseconds since the epoch; `parent_id` is "" for a root."""

    trace_id: str  # 32 hex
    span_id: str  # 16 hex
    parent_id: str
    name: str
    kind: str  # INTERNAL | SERVER | CLIENT | PRODUCER | CONSUMER
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any] = field(default_factory=dict)
    resource: Mapping[str, Any] = field(default_factory=dict)
    status: str = "UNSET"  # UNSET | OK | ERROR
    status_message: str = ""
    events: Sequence[Mapping[str, Any]] = ()  # {"name", "time_ns", "attributes"}


class TraceStore:
    """About the newest `limit` spans. Safe to use from any thread."""

    def __init__(self, limit: int = 100_000) -> None:
        self._limit = limit
        self._count = 0
        self._traces: dict[str, dict[str, Span]] = {}
        self._revisions: dict[str, int] = {}
        self._lock = Lock()
        self.version = 0
        """Grows with every span that is added."""

    def add(self, span: Span) -> None:
        """Keep `span`. One that is there already is replaced: a batch whose answer was lost is sent again."""
        with self._lock:
            spans = self._traces.setdefault(span.trace_id, {})
            self._count += span.span_id not in spans
            spans[span.span_id] = span
            self.version += 1
            self._revisions[span.trace_id] = self.version
            while self._count > self._limit and len(self._traces) > 1:
                oldest = next(iter(self._traces))
                self._count -= len(self._traces.pop(oldest))
                del self._revisions[oldest]

    def revision(self, trace_id: str) -> int:
        """The `version` of a trace's last span; 0 for an unknown id. To be read before the spans that it stands for."""
        return self._revisions.get(trace_id, 0)

    def revisions(self) -> dict[str, int]:
        """Every trace with the `version` of its last span: what has changed since a reader last looked."""
        with self._lock:
            return dict(self._revisions)

    def trace(self, trace_id: str) -> Sequence[Span]:
        """The spans of one trace by start time; empty for an unknown id."""
        with self._lock:
            spans = list(self._traces.get(trace_id, {}).values())
        return sorted(spans, key=lambda span: (span.start_ns, span.span_id))

    def recent(self, limit: int | None = None) -> Sequence[Sequence[Span]]:
        """The traces by the start of their first span, newest first; at most `limit` of them."""
        with self._lock:
            ids = list(self._traces)
        traces = [spans for trace_id in ids if (spans := self.trace(trace_id))]
        return sorted(traces, key=lambda spans: (spans[0].start_ns, spans[0].trace_id), reverse=True)[:limit]
