"""Names the hop at fault in one sentence with one cause: the largest share of the wait, or where a failure began.

Which cause goes before which is decided in `verdicts`, and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from traces.cause import Cause
from traces.criticalpath import Step
from traces.deadlines import late_call, spent_on_arrival
from traces.failures import origin
from traces.hops import Hop, hops
from traces.intervals import Interval
from traces.quantities import ms, percent
from traces.refusals import Entries, Refusals, is_ours
from traces.retries import Retries, lost_to, named, retries
from traces.slowness import Locations, account, hidden, slowness
from traces.span import Span
from traces.tree import Tree

_WORTH_TELLING = 0.1
_SYMPTOMS: tuple[Cause, ...] = (
    "cold_start",
    "queueing",
    "cross_region_storage",
    "retries",
    "deadline_spent",
)


@dataclass(frozen=True)
class Verdict:
    """The hop at fault: `service`, `span` and `span_id` name a span of the trace, for retries the attempts' and so their caller's.

    `share` (0 to 1) is the hop's part of the client's wait; `reason` is the end of `sentence`.
    """

    service: str
    span: str
    span_id: str
    share: float
    cause: Cause
    sentence: str
    reason: str


def verdicts(tree: Tree, path: Sequence[Step], locations: Locations, entries: Entries = ()) -> list[Verdict]:
    """The verdict, and then what else took a tenth of the wait or more for a cause that can be mended.

    Retries go first if they cost more than any other hop; attempts that all timed out on a far bucket or a cold start
    are a symptom of that. A deadline that was spent before a call acquits the callee and accuses the work before it,
    unless a better known cause has the largest part of the wait. A request that failed otherwise is judged by where
    its failure began: own code that failed is `own_work`, a refusal for want of an instance `queueing`, a dependency
    `slow_dependency` only if it took most of the time; else, and where that is in doubt, the cause is `unknown`.
    """
    if tree.entry is None:
        return []
    case = _Case(tree, path, locations, entries)
    slowest = [case.slow(hop) for hop in _largest(hops(tree, path))]
    by_time = slowest[0] if slowest else case.timeless(tree.entry)
    retried, late, failed = case.retried(), case.late(), case.failed()
    if retried and case.is_storm(by_time):
        chosen = retried
        slowest = [case.slow(hop) for hop in _largest(case.beside_retries)]
    elif by_time.cause == "cross_region_storage":
        chosen = by_time
    elif late and by_time.cause in ("own_work", "slow_dependency"):
        chosen = late
    else:
        chosen = failed or by_time
    rest = [found for found in (*slowest, retried, late) if found and _is_worth_telling(found, chosen)]
    return [chosen, *sorted(rest, key=lambda found: -found.share)]


def _largest(ranked: Sequence[Hop]) -> Sequence[Hop]:
    whole = sum(hop.duration_ns for hop in ranked)
    return [hop for hop in ranked if hop is ranked[0] or hop.duration_ns >= _WORTH_TELLING * whole]


def _is_worth_telling(found: Verdict, chosen: Verdict) -> bool:
    same = (found.cause, found.service) == (chosen.cause, chosen.service)
    return found.cause in _SYMPTOMS and found.share >= _WORTH_TELLING and not same


@dataclass(frozen=True)
class _Case:
    """One trace, and what can be said against it."""

    tree: Tree
    path: Sequence[Step]
    locations: Locations
    entries: Entries

    def slow(self, hop: Hop) -> Verdict:
        cause, reason = slowness(self.tree, hop, self.locations)
        span = hop.callee if hop.callee and not hop.span.is_start else hop.span
        share = hop.duration_ns / self._whole
        return _verdict(span, share, cause, account(hop, self.tree.wait), reason)

    def timeless(self, entry: Span) -> Verdict:
        account = f"{entry.service} took no time that can be measured in {entry.name}"
        return _verdict(entry, 0.0, "unknown", account, "there is nothing to explain.")

    def retried(self) -> Verdict | None:
        """What retries cost."""
        lost, _ = self._lost
        if lost == 0:
            return None
        worst, calls = named(self.tree, self._groups)
        share = lost / self._whole
        account = f"{calls}, and {ms(lost)} of {ms(self._whole)} ({percent(share)}) passed in vain"
        several = len({group.caller.service for group in self._groups}) > 1
        remedy = f"mend {worst.callee}, {'and let one service alone retry' if several else 'or retry less'}"
        reason = f"{'retried' if worst.is_certain else 'called again'} after failures ({worst.statuses}); {remedy}."
        return _verdict(worst.attempts[0], share, "retries", account, reason)

    def is_storm(self, by_time: Verdict) -> bool:
        """Whether retries cost more than any hop beside them, and are not a mere symptom."""
        rest = self.beside_retries
        symptom = by_time.cause in ("cross_region_storage", "cold_start")
        timeouts = all(group.timed_out for group in self._groups)
        return not (symptom and timeouts) and (not rest or self._lost[0] >= rest[0].duration_ns)

    def late(self) -> Verdict | None:
        """If the deadline was spent before the call that it cut off, or before the request arrived."""
        if entry := spent_on_arrival(self.tree):
            account = f"{entry.service} answered {entry.status} after {ms(entry.duration_ns)}"
            reason = "its deadline had been spent before the request arrived; look at who called it."
            share = _share(entry.start_ns, entry.end_ns, self.tree.wait)
            return _verdict(entry, share, "deadline_spent", account, reason)
        found = late_call(self.tree)
        before = [step for step in self.path if step.end_ns <= found.call.start_ns] if found else []
        if found is None or not before:
            return None
        hop = hops(self.tree, before)[0]
        span = hop.callee or hop.span
        passed = (
            f"{ms(found.passed_ns)} of {ms(found.budget_ns)} ({percent(found.passed_ns / found.budget_ns)})"
        )
        account = f"{found.callee} was called after {passed} and cut off {ms(found.left_ns)} later"
        work = f"{hop.service} had taken {ms(hop.duration_ns)} in {span.name} before"
        reason = f"{work}; do less before the call, or give the request more time."
        share = _share(found.since_ns, found.call.start_ns, self.tree.wait)
        return _verdict(span, share, "deadline_spent", account, reason)

    def failed(self) -> Verdict | None:
        """For a request that failed, but not by its deadline: where that began."""
        found = origin(self.tree)
        if found is None:
            return None
        span, earlier = found.span, found.doubtful
        share = _share(span.start_ns, span.end_ns, self.tree.wait)
        if refused := Refusals(self.entries).of(self.tree, span):
            account = f"Cloud Run refused a request to {refused} after {ms(span.duration_ns)} ({span.told})"
            remedy = "raise its max instances, or keep more of them warm with min instances"
            reason = f"no instance was free; {remedy}."
            return _verdict(span, share, "queueing", account, reason)
        account = f"{span.service} failed in {span.name} after {ms(span.duration_ns)} ({span.told})"
        if earlier:
            before = f"{_call(self.tree, earlier)} had failed {ms(span.end_ns - earlier.end_ns)} before ({earlier.told})"
            reason = f"{before}, and nothing says whether that is why."
            return _verdict(span, share, "unknown", account, reason)
        cause, why = _blame(self.tree, span, share)
        reason = f"{why}the request's error began there."
        return _verdict(span, share, cause, account, reason)

    @cached_property
    def beside_retries(self) -> list[Hop]:
        """The hops of what is left of the path without the time that retries cost."""
        return hops(self.tree, self._lost[1])

    @cached_property
    def _groups(self) -> list[Retries]:
        return retries(self.tree)

    @cached_property
    def _lost(self) -> tuple[int, Sequence[Step]]:
        return lost_to(self.tree, self.path, self._groups)

    @property
    def _whole(self) -> int:
        return self.tree.wait[1] - self.tree.wait[0]


def _blame(tree: Tree, span: Span, share: float) -> tuple[Cause, str]:
    if span.is_platform:
        return "unknown", "Cloud Run answered itself, no instance did: "
    status = span.http_status or 0
    if span.kind != "CLIENT" or (400 <= status < 500 and status != 429):
        return "own_work", ""
    if status == 429 and tree.callee(span) is None and is_ours(span):
        return (
            "unknown",
            f"no free instance, or a limit of {span.target}'s own (its request log tells which): ",
        )
    cut_off = hidden(tree, span.service, [(span.start_ns, span.end_ns)])
    if tree.callee(span) is None and share >= 0.5 and not cut_off:
        return "slow_dependency", f"{span.target} sends no spans: "
    return "unknown", ""


def _call(tree: Tree, span: Span) -> str:
    callee = tree.callee(span)
    target = callee.service if callee else span.target if span.kind == "CLIENT" else ""
    return f"{span.name} to {target}" if target and target not in span.name.split() else span.name


def _verdict(span: Span, share: float, cause: Cause, account: str, reason: str) -> Verdict:
    sentence = f"{account}: {reason}"
    return Verdict(span.service, span.name, span.span_id, min(1.0, share), cause, sentence, reason)


def _share(start: int, end: int, wait: Interval) -> float:
    inside = min(end, wait[1]) - max(start, wait[0])
    return max(0, inside) / (wait[1] - wait[0]) if wait[1] > wait[0] else 0.0
