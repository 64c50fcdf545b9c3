"""The critical path added up by hop: a service's own work, its storage work, a hand-over, or work of somebody without spans."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from traces.criticalpath import Step
from traces.span import Span
from traces.tree import Tree

Kind = Literal["storage", "handover", "outside", "own"]


@dataclass(frozen=True)
class Hop:
    """Time of one kind at one service, in `steps`. `span` is the span with most of it.

    `callee` is set for a hand-over, to which the start of an instance belongs; `cold` if it waited for one.
    """

    kind: Kind
    service: str
    span: Span
    duration_ns: int
    steps: Sequence[Step]
    callee: Span | None = None
    cold: bool = False


def hops(tree: Tree, path: Sequence[Step]) -> list[Hop]:
    """The largest first; equals in the order in which they came up."""
    times: dict[tuple[str, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    found: dict[tuple[str, ...], dict[str, tuple[Kind, Span, Span | None]]] = defaultdict(dict)
    steps: dict[tuple[str, ...], list[Step]] = defaultdict(list)
    for step in path:
        kind, span, callee = _place(tree, step.span)
        where = span.bucket if kind == "storage" else unseen(span) if kind == "outside" else ""
        key: tuple[str, ...] = (kind, (callee or span).service, where)
        times[key][span.span_id] += step.duration_ns
        found[key].setdefault(span.span_id, (kind, span, callee))
        steps[key].append(step)
    result = []
    for key, spans in times.items():
        kind, span, callee = found[key][max(spans, key=lambda span_id: spans[span_id])]
        cold = callee is not None and tree.cold(callee)
        result.append(
            Hop(kind, (callee or span).service, span, sum(spans.values()), steps[key], callee, cold)
        )
    return sorted(result, key=lambda hop: -hop.duration_ns)


def unseen(span: Span) -> str:
    """Who worked while a span of kind `outside` ran: the callee of a call, or the service behind a platform's span."""
    return (span.run_service or "its service") if span.is_platform else span.target


def _place(tree: Tree, span: Span) -> tuple[Kind, Span, Span | None]:
    if (storage := tree.storage(span)) is not None:
        return "storage", storage, None
    if (callee := tree.started(span) or tree.callee(span)) is not None:
        return "handover", span, callee
    return ("outside" if span.kind == "CLIENT" or span.is_platform else "own"), span, None
