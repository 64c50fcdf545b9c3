"""The critical path: for every instant of the caller's wait, the one span whose own time it was."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from traces.intervals import Interval, overlapping, subtract
from traces.span import Span
from traces.tree import Tree

_LITTLE, _LITTLE_NS = 0.02, 5 * 10**6
_LITTLE_OF_CHILD = 0.1
"""By how much of its parent, at least by how long, and by how much of itself a child may outlive a parent that waited."""


@dataclass(frozen=True)
class Step:
    """A stretch of a span's own time on the critical path."""

    span: Span
    start_ns: int
    end_ns: int

    @property
    def duration_ns(self) -> int:
        return self.end_ns - self.start_ns

    def without(self, disjoint: Sequence[Interval]) -> list["Step"]:
        """What is left of it outside of disjoint intervals in order."""
        whole = (self.start_ns, self.end_ns)
        parts = subtract(whole, overlapping(disjoint, whole))
        return [Step(self.span, start, end) for start, end in parts]


def critical_path(tree: Tree) -> list[Step]:
    """Steps in order of time; together they cover the client's wait exactly.

    Walks back from the end of each span through the child that finished last. A child that outlives a failed parent,
    or a call, counts up to the moment at which the caller stopped waiting; background work of a parent that
    succeeded does not count, unless it outlived it by so little that clocks or the last bytes explain it.
    """
    entry, steps = tree.entry, list[Step]()
    if entry and (before := tree.start(entry)) and before.start_ns < entry.start_ns:
        steps.append(Step(before, before.start_ns, entry.start_ns))
    stack = [(entry, entry.start_ns, entry.end_ns)] if entry else []
    while stack:
        span, start, end = stack.pop()
        for child, since, until in _waits(tree, span, start, end):
            if child is None:
                steps.append(Step(span, since, until))
            else:
                stack.append((child, since, until))
    return sorted(steps, key=lambda step: (step.start_ns, step.end_ns))


def _waits(tree: Tree, span: Span, start: int, end: int) -> Iterator[tuple[Span | None, int, int]]:
    """From `end` back to `start`: which child `span` waited for and when, or None for its own time."""
    pending = sorted(
        (c for c in tree.children(span) if _awaited(span, c)),
        key=lambda c: (c.end_ns, -c.start_ns, c.span_id),
    )
    cursor = end
    while cursor > start:
        running: Span | None = None
        while pending and pending[-1].end_ns >= cursor:
            child = pending.pop()
            if child.start_ns < cursor and (running is None or child.start_ns < running.start_ns):
                running = child
        until = cursor
        if running is not None:
            cursor = max(start, running.start_ns)
        else:
            cursor = max(start, pending[-1].end_ns) if pending else start
        yield running, cursor, until


def _awaited(parent: Span, child: Span) -> bool:
    late = child.end_ns - parent.end_ns
    if late <= 0 or parent.failed or parent.kind == "CLIENT" or parent.is_platform:
        return True
    little = max(_LITTLE_NS, round(_LITTLE * parent.duration_ns))
    return late <= min(little, round(_LITTLE_OF_CHILD * child.duration_ns))
