"""Why the time of one hop passed: its cause and the words for it. Knows nothing of retries, deadlines and failures."""

from collections.abc import Mapping, Sequence

from traces.cause import Cause
from traces.hops import Hop, unseen
from traces.intervals import Interval, total, union
from traces.quantities import ms, percent
from traces.regions import is_elsewhere
from traces.span import Span
from traces.tree import Tree

Locations = Mapping[str, str | None]
"""Where each bucket is; None or absent: not readable."""


def slowness(tree: Tree, hop: Hop, locations: Locations) -> tuple[Cause, str]:
    """The cause, and a clause that explains it and names the remedy where there is one."""
    if hop.kind == "storage":
        return _storage(hop.span, locations)
    if hop.kind == "handover":
        return _handover(hop)
    if others := hidden(tree, hop.service, [(step.start_ns, step.end_ns) for step in hop.steps]):
        return "unknown", f"{others} worked meanwhile, and the spans between the two are missing."
    if hop.kind == "outside":
        cause: Cause = "unknown" if hop.span == tree.entry else "slow_dependency"
        return cause, f"it waited for {unseen(hop.span)}, which sends no spans{_failure(hop.span)}."
    failed = _failure(hop.span)
    return "own_work", f"its own work{failed}; nothing that it waited for took longer."


def hidden(tree: Tree, service: str, times: Sequence[Interval]) -> str:
    """Other services whose spans, cut off from the trace, cover most of these times: whose time it was cannot be told."""
    lost = [span for span in tree.orphans if span != tree.entry and span.service != service]
    if not lost:
        return ""
    own, covered = union(times), union((span.start_ns, span.end_ns) for span in lost)
    common = total(own) + total(covered) - total(union([*own, *covered]))
    return " and ".join(sorted({span.service for span in lost})[:3]) if 0 < total(own) <= 2 * common else ""


def account(hop: Hop, wait: Interval) -> str:
    """How much of the client's wait (ns) the hop took, and where: the beginning of a sentence."""
    whole = wait[1] - wait[0]
    share = percent(hop.duration_ns / whole)
    part = f"{ms(hop.duration_ns)} of {ms(whole)} ({share})"
    if hop.span.is_start:
        return f"{part} passed before {hop.service} began"
    if hop.callee is not None:
        return f"{part} passed between the call to {hop.service} and its own spans"
    if hop.kind != "own" and hop.span.end_ns > wait[1]:
        waited = f"{ms(hop.duration_ns)} of the {ms(whole)} that the client waited ({share})"
        return f"{hop.service} spent {ms(hop.span.duration_ns)} in {hop.span.name}, {waited}"
    return f"{hop.service} spent {part} in {hop.span.name}"


def _storage(span: Span, locations: Locations) -> tuple[Cause, str]:
    location = locations.get(span.bucket)
    if location and is_elsewhere(location, span.region):
        where = f"bucket {span.bucket} is in {location}, the service runs in {span.region}"
        return "cross_region_storage", f"{where}; put the bucket into the service's region."
    work = f"Cloud Storage worked on bucket {span.bucket}"
    if location and span.region:
        return "slow_dependency", f"{work}, in the service's own region{_failure(span)}."
    unknown = "whose location or the service's region is not known"
    return "slow_dependency", f"{work}, {unknown}{_failure(span)}."


def _handover(hop: Hop) -> tuple[Cause, str]:
    if hop.cold:
        remedy = "keep one warm with min instances"
        return "cold_start", f"an instance was started for this request (cold start); {remedy}."
    first = "; it was the first request of its instance" if hop.callee and hop.callee.cold_start else ""
    return "queueing", f"no span explains it (network, queueing or a cold start){first}."


def _failure(span: Span) -> str:
    return f", and failed ({told})" if span.failed and not span.timed_out and (told := span.told) else ""
