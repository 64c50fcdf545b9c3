"""Names the hop at fault in one sentence: the largest share of the caller's wait, or where a quick failure began."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from traces.criticalpath import Step
from traces.hops import Hop, hops
from traces.intervals import Interval
from traces.quantities import ms, percent
from traces.regions import is_elsewhere
from traces.retries import retries
from traces.span import Span
from traces.tree import Tree

Cause = Literal[
    "cross_region_storage", "cold_start", "retries", "error", "own_work", "slow_dependency", "queueing"
]
Locations = Mapping[str, str | None]
"""Where each bucket is; None or absent: not readable."""


@dataclass(frozen=True)
class Culprit:
    """The hop at fault. `share` (0 to 1) is its part of the client's wait; `reason` is the end of `sentence`."""

    span: str
    service: str
    share: float
    reason: str
    cause: Cause
    sentence: str


def find_culprit(tree: Tree, path: Sequence[Step], locations: Locations) -> Culprit | None:
    """None only for a trace without an entry, or whose entry took no time."""
    ranked = hops(tree, path)
    entry, wait = tree.entry, tree.wait
    if entry is None or not ranked:
        return None
    by_time = _by_time(wait, ranked[0], locations)
    if by_time.cause == "cross_region_storage":
        return by_time
    return _retried(tree, wait) or _origin_of_error(tree, entry, wait) or by_time


def _by_time(wait: Interval, hop: Hop, locations: Locations) -> Culprit:
    whole = wait[1] - wait[0]
    share = hop.duration_ns / whole
    cause, reason = _why(hop, locations)
    part = f"{ms(hop.duration_ns)} of {ms(whole)} ({percent(share)})"
    if hop.span.is_start:
        sentence = f"{part} passed before {hop.service} began: {reason}"
        return Culprit(hop.span.name, hop.service, share, reason, cause, sentence)
    if hop.callee is not None:
        sentence = f"{part} passed between the call to {hop.service} and its own spans: {reason}"
        return Culprit(hop.callee.name, hop.service, share, reason, cause, sentence)
    spent = f"{part} in {hop.span.name}"
    if hop.kind != "own" and hop.span.end_ns > wait[1]:
        waited = f"{ms(hop.duration_ns)} of the {ms(whole)} that the client waited ({percent(share)})"
        spent = f"{ms(hop.span.duration_ns)} in {hop.span.name}, {waited}"
    return Culprit(hop.span.name, hop.service, share, reason, cause, f"{hop.service} spent {spent}: {reason}")


def _why(hop: Hop, locations: Locations) -> tuple[Cause, str]:
    if hop.kind == "storage":
        return _why_storage(hop.span, locations)
    if hop.kind == "handover":
        if hop.cold:
            return (
                "cold_start",
                "an instance was started for this request (cold start); keep one warm with min instances.",
            )
        return "queueing", "no span explains it (network, queueing or a cold start)."
    if hop.span.failed and not hop.span.timed_out:
        return "error", f"it failed ({_failure(hop.span)})."
    if hop.kind == "outside":
        return "slow_dependency", f"it waited for {hop.span.host}, which sends no spans."
    return "own_work", "its own work; nothing that it called took longer."


def _why_storage(span: Span, locations: Locations) -> tuple[Cause, str]:
    location = locations.get(span.bucket)
    if location and is_elsewhere(location, span.region):
        where = f"bucket {span.bucket} is in {location}, the service runs in {span.region}"
        return "cross_region_storage", f"{where}; put the bucket into the service's region."
    if span.failed and not span.timed_out:
        return "error", f"work on bucket {span.bucket} failed ({_failure(span)})."
    if location and span.region:
        return (
            "slow_dependency",
            f"Cloud Storage worked on bucket {span.bucket}, in the service's own region.",
        )
    return (
        "slow_dependency",
        f"Cloud Storage worked on bucket {span.bucket}, whose location or the service's region is not known.",
    )


def _retried(tree: Tree, wait: Interval) -> Culprit | None:
    for group in retries(tree):
        share = _overlap(group.attempts[0].start_ns, group.attempts[-1].end_ns, wait)
        if share < 0.5:
            return None
        statuses = ", ".join(call.status or "ok" for call in group.attempts)
        reason = f"retried after failures ({statuses}); mend {group.callee}, or retry less."
        part = f"{ms(group.duration_ns)}, {percent(share)} of the wait"
        sentence = (
            f"{group.caller.service} called {group.callee} {len(group.attempts)} times in {part}: {reason}"
        )
        return Culprit(group.attempts[0].name, group.callee, share, reason, "retries", sentence)
    return None


def _origin_of_error(tree: Tree, entry: Span, wait: Interval) -> Culprit | None:
    """For a request that failed, but not by its deadline: the last failed span on the way down."""
    span = entry
    while failed := [child for child in tree.children(span) if child.failed]:
        span = max(failed, key=lambda child: (child.end_ns, child.span_id))
    if not entry.failed or entry.timed_out or span.timed_out:
        return None
    who = "Cloud Run answered itself, no instance did: " if span.is_platform else ""
    reason = f"{who}the request's error began there."
    sentence = (
        f"{span.service} failed in {span.name} after {ms(span.duration_ns)} ({_failure(span)}): {reason}"
    )
    return Culprit(
        span.name, span.service, _overlap(span.start_ns, span.end_ns, wait), reason, "error", sentence
    )


def _failure(span: Span) -> str:
    return ": ".join(part for part in (span.status, " ".join(span.failure.split())[:120]) if part)


def _overlap(start: int, end: int, wait: Interval) -> float:
    inside = min(end, wait[1]) - max(start, wait[0])
    return max(0, inside) / (wait[1] - wait[0]) if wait[1] > wait[0] else 0.0
