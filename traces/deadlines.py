"""Requests that ended because their time was up: was the callee that was cut off slow, or called too late?

What a trace holds of a deadline is who gave up, and when: budgets travel in a header (`app/deadline.py`), and Cloud
Trace v1 keeps no events. So it is judged by the share of the time that had passed before the call.
"""

from dataclasses import dataclass

from traces.span import Span
from traces.tree import Tree

_MOST = 0.5
_AT_ONCE_NS = 50 * 10**6
"""No budget for a request is as short as this: who gives up sooner had nothing left on arrival."""


@dataclass(frozen=True)
class Late:
    """A call that was cut off `left_ns` after it began, as `passed_ns` had gone before, counted from `since_ns`."""

    call: Span
    callee: str
    since_ns: int
    passed_ns: int
    left_ns: int

    @property
    def budget_ns(self) -> int:
        return self.passed_ns + self.left_ns


def late_call(tree: Tree) -> Late | None:
    """Of the calls that a request's deadline cut off, the first with less time left than had passed already."""
    entry = tree.entry_server or tree.entry
    if entry is None or not _timed_out(tree):
        return None
    late = [found for _, span in tree.walk() if _was_cut(span) and (found := _late(tree, span, entry))]
    return min(late, key=lambda found: (found.call.start_ns, found.call.span_id), default=None)


def spent_on_arrival(tree: Tree) -> Span | None:
    """The entry, if it gave up at once and without having called anybody: its own caller had used the time."""
    entry = tree.entry_server
    if entry is None or not entry.spent or not entry.failed or entry.duration_ns >= _AT_ONCE_NS:
        return None
    called = any(span.kind == "CLIENT" for _, span in tree.walk() if tree.holds(entry, span))
    return None if called else entry


def _timed_out(tree: Tree) -> bool:
    return any(span is not None and span.failed and span.overran for span in (tree.entry, tree.entry_server))


def _was_cut(call: Span) -> bool:
    """A call cancelled by its caller's own clock has neither an answer nor an error (`asyncio.timeout`)."""
    return call.kind == "CLIENT" and (call.timed_out or (call.http_status is None and not call.failed))


def _late(tree: Tree, call: Span, entry: Span) -> Late | None:
    callee = tree.callee(call)
    name = callee.service if callee and not callee.is_platform else call.target
    passed, left = call.start_ns - entry.start_ns, min(call.end_ns, entry.end_ns) - call.start_ns
    if left < 0 or passed <= _MOST * (passed + left):
        return None
    return Late(call, name, entry.start_ns, passed, left)
