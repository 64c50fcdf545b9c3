"""Dark time: the instants of a trace at which no span did work of its own, and who waited for whom then."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Literal

from traces.intervals import Interval, subtract, total, union
from traces.span import CLOUD_RUN, Span
from traces.tree import Tree


@dataclass(frozen=True)
class Gap:
    """One dark stretch: a request or its response under way between two services, or no span at all."""

    start_ns: int
    end_ns: int
    kind: Literal["request", "response", "empty"]
    waiting: Span
    awaited: Span
    cold: bool = False

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns

    @property
    def sentence(self) -> str:
        """Who waited for whom, and what can be behind it."""
        waiting, awaited = display_name(self.waiting), display_name(self.awaited)
        if self.kind == "empty" and self.waiting.is_start:
            return f"{awaited} had started and its first request had not begun (startup probe)"
        if self.kind == "empty":
            return f"no span at all between {waiting} and {awaited}"
        if self.kind == "response":
            return f"{waiting} waited for the answer of {awaited} to come back (network)"
        why = "cold start" if self.cold else "network, queueing or a cold start"
        return f"{waiting} waited for {awaited} to begin ({why})"


def gaps(tree: Tree) -> list[Gap]:
    """All dark stretches of hand-overs between services, and those without any span, by start."""
    found = [gap for _, span in tree.walk() for gap in _handover(tree, span)]
    by_end = sorted((span for _, span in tree.walk()), key=lambda span: span.end_ns)
    by_start = sorted(by_end, key=lambda span: span.start_ns)
    for start, end in subtract(tree.extent, ((span.start_ns, span.end_ns) for span in by_end)):
        before = by_end[bisect_right(by_end, start, key=lambda span: span.end_ns) - 1]
        after = by_start[bisect_left(by_start, end, key=lambda span: span.start_ns)]
        found.append(Gap(start, end, "empty", before, after))
    return sorted(found, key=lambda gap: (gap.start_ns, gap.end_ns))


def dark_ns(tree: Tree) -> int:
    """How much of the trace no span's own work explains; work elsewhere at the same time does explain it."""
    return total(subtract(tree.extent, _work(tree)))


def display_name(span: Span) -> str:
    """The service; for the platform's spans also whose request it was."""
    return f"{CLOUD_RUN} ({span.run_service})" if span.is_platform and span.run_service else span.service


def _work(tree: Tree) -> list[Interval]:
    return union(
        part for _, span in tree.walk() if tree.callee(span) is None for part in tree.own[span.span_id]
    )


def _handover(tree: Tree, span: Span) -> list[Gap]:
    callee = tree.callee(span)
    if callee is None:
        return []
    first = min(child.start_ns for child in tree.children(span) if not tree.started(child))
    return [
        Gap(start, end, "response" if start >= first else "request", span, callee, tree.cold(callee))
        for start, end in tree.own[span.span_id]
    ]
