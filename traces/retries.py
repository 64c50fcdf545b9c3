"""Calls that were made again because earlier attempts had failed, and the time that was lost by it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from traces.criticalpath import Step
from traces.intervals import Interval, union
from traces.span import Span
from traces.tree import Tree

_TRY_LATER = {408, 425, 429}
_NOT_NOW = {None, 503, *_TRY_LATER}
_IDEMPOTENT = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}
"""Methods that may be repeated without asking: RFC 9110, 9.2.2."""


@dataclass(frozen=True)
class Retries:
    """Attempts at one call, in order; all but the last had failed before the next began."""

    caller: Span
    attempts: Sequence[Span]
    callee: str

    @property
    def is_certain(self) -> bool:
        """Whether they were one call: else each may have sent something of its own to the same address."""
        return all(_is_repetition(attempt) for attempt in self.attempts[1:])

    @property
    def lost(self) -> Interval:
        """From the first attempt to the one that counted, pauses included; to the very end if that failed as well."""
        last = self.attempts[-1]
        return (self.attempts[0].start_ns, last.end_ns if has_failed(last) else last.start_ns)

    @property
    def lost_ns(self) -> int:
        return self.lost[1] - self.lost[0]

    def holds(self, tree: Tree, other: "Retries") -> bool:
        """Whether `other` happened within one of these attempts."""
        return any(tree.holds(attempt, other.caller) for attempt in self.attempts)

    @property
    def statuses(self) -> str:
        """What each attempt gave; of many only the first and the last."""
        told = [attempt.status or "ok" for attempt in self.attempts]
        return ", ".join(told if len(told) <= 6 else [*told[:3], "...", told[-1]])

    @property
    def timed_out(self) -> bool:
        """Whether the attempts failed for want of time alone: then what was slow is to blame, not its repetition."""
        return all(attempt.timed_out for attempt in self.attempts if has_failed(attempt))


def retries(tree: Tree) -> list[Retries]:
    """Every retried call of the trace; the one that lost most time first."""
    found = []
    for _, caller in tree.walk():
        calls: dict[tuple[str, ...], list[Span]] = defaultdict(list)
        for child in tree.children(caller):
            if child.kind == "CLIENT":
                calls[(child.name, child.target, *urlsplit(child.url)[2:4])].append(child)
        runs = (run for same in calls.values() if len(same) > 1 for run in _runs(same))
        found += [Retries(caller, run, _called(tree, run)) for run in runs]
    return sorted(found, key=lambda group: -group.lost_ns)


def lost_to(tree: Tree, path: Sequence[Step], groups: Sequence[Retries]) -> tuple[int, Sequence[Step]]:
    """The nanoseconds of the path that retries cost, and what is left of it."""
    if not groups:
        return 0, path
    by_caller: dict[str, list[Interval]] = defaultdict(list)
    for group in groups:
        by_caller[group.caller.span_id].append(group.lost)
    wasted: dict[str, list[Interval]] = {}
    for _, span in tree.walk():
        parent = tree.parent(span)
        above = wasted[parent.span_id] if parent else []
        own = by_caller.get(span.span_id)
        wasted[span.span_id] = union([*above, *own]) if own else above
    left = [part for step in path for part in step.without(wasted[step.span.span_id])]
    return sum(step.duration_ns for step in path) - sum(step.duration_ns for step in left), left


def named(tree: Tree, groups: Sequence[Retries]) -> tuple[Retries, str]:
    """The group to blame, and who called whom how often.

    Of services that retry each other it is the innermost, if its retries make up most of what the outer ones lost.
    """
    worst = groups[0]
    chain = [worst]
    while inner := [group for group in groups if group is not worst and worst.holds(tree, group)]:
        if 2 * sum(group.lost_ns for group in inner) < worst.lost_ns:
            break
        worst = inner[0]
        chain.append(worst)
    attempts: dict[tuple[str, str], int] = defaultdict(int)
    for group in groups:
        attempts[group.caller.service, group.callee] += len(group.attempts)
    most = sorted(attempts, key=lambda pair: -attempts[pair])[:3]
    pairs = dict.fromkeys([*((group.caller.service, group.callee) for group in chain), *most])
    calls = (f"{caller} called {callee} {attempts[caller, callee]} times" for caller, callee in pairs)
    return worst, " and ".join(calls)


def has_failed(call: Span) -> bool:
    """Whether another attempt can help: an error, or a refusal for now. Another 4xx is the callee's answer."""
    if call.http_status is None:
        return call.failed
    return call.http_status >= 500 or call.http_status in _TRY_LATER


def _runs(calls: Sequence[Span]) -> Iterator[list[Span]]:
    run: list[Span] = []
    for call in calls:
        if run and not _follows(run[-1], call):
            if len(run) > 1:
                yield run
            run = []
        run.append(call)
    if len(run) > 1:
        yield run


def _follows(before: Span, call: Span) -> bool:
    """Whether `call` may be another attempt: after a failure that is the last word, only a repetition is."""
    failed = has_failed(before) and before.end_ns <= call.start_ns
    return failed and (before.http_status in _NOT_NOW or _is_repetition(call))


def _is_repetition(call: Span) -> bool:
    """Whether the call, of an address that has failed, is marked as another attempt or idempotent."""
    return call.is_resent or call.method in _IDEMPOTENT


def _called(tree: Tree, attempts: Sequence[Span]) -> str:
    callees = (callee for call in attempts if (callee := tree.callee(call)) and not callee.is_platform)
    return next((callee.service for callee in callees), attempts[0].target)
