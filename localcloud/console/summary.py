"""One line about each trace, kept until its spans change: ten thousand of them must be listed while somebody waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

from localcloud.console.servicemap import Call, calls_of
from localcloud.console.stored import (
    entry_of,
    has_failed,
    is_platform,
    kept_because,
    service_of,
    span_of,
    status_of,
)
from localcloud.trace.store import Span, TraceStore
from traces.span import INSTANCE_START


@dataclass(frozen=True)
class Summary:
    """`service` and `name` are the application's where it has sent a span; `status` is what the client got."""

    trace_id: str
    start_ns: int
    duration_ns: int
    service: str
    name: str
    status: str
    services: Sequence[str]
    kept: Sequence[str]
    errors: int
    stored: Sequence[Span]

    @cached_property
    def text(self) -> str:
        """All that a search looks through, in lower case: ids, names and the spans' own attributes."""
        words = dict.fromkeys([self.trace_id, *self.services])
        for span in self.stored:
            words[span.name] = None
            words.update((f"{key}={value}", None) for key, value in span.attributes.items())
        return "\n".join(words).lower()

    @cached_property
    def calls(self) -> Sequence[Call]:
        """For the map."""
        return calls_of([span_of(span) for span in self.stored])

    def json(self) -> dict[str, Any]:
        """One row of the list; times in ms, the start since the epoch."""
        return {
            "trace_id": self.trace_id,
            "start_ms": self.start_ns / 1e6,
            "duration_ms": self.duration_ns / 1e6,
            "service": self.service,
            "name": self.name,
            "status": self.status,
            "services": self.services,
            "kept": self.kept,
            "errors": self.errors,
            "spans": len(self.stored),
        }


def summarise(stored: Sequence[Span]) -> Summary:
    """`stored` are the spans of one trace, by start, and at least one."""
    entry = entry_of(stored)
    named = _application(entry, stored)
    own = [span for span in stored if not is_platform(span)]
    at_work = (service_of(span) for span in own if span.name != INSTANCE_START)
    return Summary(
        trace_id=entry.trace_id,
        start_ns=entry.start_ns,
        duration_ns=max(0, entry.end_ns - entry.start_ns),
        service=service_of(named),
        name=named.name or "(no name)",
        status=status_of(entry) or status_of(named),
        services=list(dict.fromkeys(at_work)),
        kept=list(dict.fromkeys(reason for span in own if (reason := kept_because(span)))),
        errors=sum(has_failed(span) for span in own),
        stored=stored,
    )


def _application(entry: Span, stored: Sequence[Span]) -> Span:
    """The platform's span of the entry is named after the path; the application's says what was done."""
    if not is_platform(entry):
        return entry
    behind = (span for span in stored if span.parent_id == entry.span_id and span.kind == "SERVER")
    return next(behind, entry)


class Summaries:
    """The summaries of a store, newest first. Safe to use from any thread."""

    def __init__(self, spans: TraceStore) -> None:
        self._spans = spans
        self._lock = Lock()
        self._version = -1
        self._known: dict[str, tuple[int, Summary]] = {}
        self._newest: list[Summary] = []

    def newest(self) -> Sequence[Summary]:
        """All of them, brought up to date; only what has changed is read again."""
        with self._lock:
            version = self._spans.version
            if version != self._version:
                self._refresh()
                self._version = version
            return self._newest

    def _refresh(self) -> None:
        known = {}
        for trace_id, revision in self._spans.revisions().items():
            held = self._known.get(trace_id)
            if held and held[0] == revision:
                known[trace_id] = held
            elif stored := self._spans.trace(trace_id):
                known[trace_id] = (revision, summarise(stored))
        self._known = known
        summaries = (summary for _, summary in known.values())
        self._newest = sorted(summaries, key=lambda each: (each.start_ns, each.trace_id), reverse=True)
