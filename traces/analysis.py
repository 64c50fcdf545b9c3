"""Everything `explain` knows about one trace, worked out once; drawing it is waterfall's and findings' part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from traces.criticalpath import Step, critical_path
from traces.darktime import Gap, dark_ns, gaps
from traces.quantities import ms
from traces.slowness import Locations
from traces.span import Span, Trace
from traces.tree import Tree
from traces.verdict import Verdict, verdicts


@dataclass(frozen=True)
class Analysis:
    """The parts of one explanation; `abandoned` are (who gave up, who went on), `also` what else is worth mending.

    `verdict` is None only for a trace without spans.
    """

    trace: Trace
    entries: Sequence[Mapping[str, Any]]
    tree: Tree
    path: Sequence[Step]
    gaps: Sequence[Gap]
    dark_ns: int
    abandoned: Sequence[tuple[Span, Span]]
    verdict: Verdict | None
    also: Sequence[Verdict]

    @property
    def deadline(self) -> Span | None:
        """The span whose end is the caller's deadline: the entry if any span outlived it, else the first that gave up."""
        callers = [caller for caller, _ in self.abandoned]
        entry = self.tree.entry_server
        outlived = entry is not None and entry.failed and self.tree.extent[1] > entry.end_ns and bool(callers)
        return entry if outlived else min(callers, key=lambda span: span.end_ns, default=None)

    @property
    def late_services(self) -> Sequence[Span]:
        """Other services' server spans that ended after the client had its answer, in call order."""
        entry = self.tree.entry_server
        if entry is None:
            return []
        servers = (span for _, span in self.tree.walk() if span.kind == "SERVER" and not span.is_platform)
        return [span for span in servers if span.service != entry.service and span.end_ns > entry.end_ns]

    @property
    def notes(self) -> Sequence[str]:
        """What makes the picture less than certain."""
        notes = []
        if orphans := self.tree.orphans:
            names = ", ".join(sorted({f"{span.service} {span.name}" for span in orphans}))
            notes.append(
                f"{len(orphans)} spans name a parent that is not in the trace ({names}): a caller's spans are missing."
            )
        shifts: dict[str, int] = {}
        for _, span in self.tree.walk():
            shifts.setdefault(span.service, self.tree.clock_shifts[span.span_id])
        moved = [f"{service} by {ms(shift)}" for service, shift in shifts.items() if abs(shift) >= 1_000_000]
        if moved:
            notes.append(f"Clocks differ; corrected: {', '.join(moved)}.")
        return notes


def analyse(
    trace: Trace, entries: Sequence[Mapping[str, Any]] = (), locations: Locations | None = None
) -> Analysis:
    """A pure function: the same trace, entries and bucket locations always give the same answer."""
    tree = Tree(trace.spans)
    path = critical_path(tree)
    found = verdicts(tree, path, locations or {}, entries)
    return Analysis(
        trace=trace,
        entries=entries,
        tree=tree,
        path=path,
        gaps=gaps(tree),
        dark_ns=dark_ns(tree),
        abandoned=[(span, child) for _, span in tree.walk() for child in tree.abandoned(span)],
        verdict=found[0] if found else None,
        also=found[1:],
    )


def buckets(trace: Trace) -> list[str]:
    """The buckets that the trace's storage work names."""
    return sorted({span.bucket for span in trace.spans} - {""})
