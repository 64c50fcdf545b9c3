"""One line about each trace, kept until its spans or log entries change: ten thousand of them are listed while somebody waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

from localcloud.console.servicemap import Call, calls_of
from localcloud.console.stored import span_of
from localcloud.logs.store import LogEntry, LogStore
from localcloud.trace.store import Span, TraceStore
from traces.outline import Outline, outline
from traces.safetext import safe_name
from traces.tree import Tree

_REASON = "sampling.keep_reason"


@dataclass(frozen=True)
class Summary:
    """`told` is what the page of the trace says too; `kept` is why its services kept their parts."""

    trace_id: str
    told: Outline
    kept: Sequence[str]
    stored: Sequence[Span]

    @property
    def start_ns(self) -> int:
        return self.told.wait[0]

    @property
    def duration_ns(self) -> int:
        return self.told.wait[1] - self.told.wait[0]

    @cached_property
    def text(self) -> str:
        """All that a search looks through, in lower case: ids, names and the spans' own attributes."""
        words = dict.fromkeys([self.trace_id, *self.told.services])
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
            "service": self.told.service,
            "name": self.told.name,
            "status": self.told.status,
            "tone": self.told.tone,
            "services": self.told.services,
            "kept": self.kept,
            "errors": self.told.errors,
            "spans": len(self.stored),
        }


def summarise(stored: Sequence[Span], entries: Sequence[LogEntry] = ()) -> Summary:
    """`stored` are the spans of one trace, at least one; `entries` are its log entries."""
    spans = [span_of(span) for span in stored]
    told = outline(Tree(spans), entries)
    assert told is not None
    reasons = (safe_name(span.labels.get(_REASON, "")) for span in spans if not span.is_platform)
    return Summary(stored[0].trace_id, told, list(dict.fromkeys(filter(None, reasons))), stored)


class Summaries:
    """The summaries of a store, newest first. Safe to use from any thread."""

    def __init__(self, spans: TraceStore, logs: LogStore) -> None:
        self._spans, self._logs = spans, logs
        self._lock = Lock()
        self._version = ""
        self._known: dict[str, tuple[tuple[int, int], Summary]] = {}
        self._newest: list[Summary] = []

    @property
    def version(self) -> str:
        """Another one as soon as `newest` may say something else; to be read before it."""
        return f"{self._spans.version}-{self._logs.version}"

    def newest(self) -> Sequence[Summary]:
        """All of them, brought up to date; only what has changed is read again."""
        with self._lock:
            version = self.version
            if version != self._version:
                self._refresh()
                self._version = version
            return self._newest

    def _refresh(self) -> None:
        known = {}
        logged = self._logs.revisions()
        for trace_id, revision in self._spans.revisions().items():
            held, both = self._known.get(trace_id), (revision, logged.get(trace_id, 0))
            if held and held[0] == both:
                known[trace_id] = held
            elif stored := self._spans.trace(trace_id):
                known[trace_id] = (both, summarise(stored, self._logs.of_trace(trace_id)))
        self._known = known
        summaries = (summary for _, summary in known.values())
        self._newest = sorted(summaries, key=lambda each: (each.start_ns, each.trace_id), reverse=True)
