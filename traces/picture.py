"""An analysis as something to draw: rows, bars and lines in milliseconds after the trace's first instant. Draws nothing itself.

Every text in it is safe to be shown (`traces/safetext.py`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from traces.analysis import Analysis
from traces.darktime import Gap, display_name
from traces.intervals import Interval
from traces.logline import LogLine, placed
from traces.quantities import ms
from traces.record import PathPart, record
from traces.safetext import all_safe
from traces.span import Span
from traces.tone import is_failure, severity_tone, span_tone, status_tone


def picture(analysis: Analysis) -> dict[str, Any]:
    """Everything the page shows of one trace, as JSON: `traces/record.py`, and what it takes to draw it.

    `wait_ms` is where on the axis the client's wait ends: background work can make the trace much longer.
    """
    tree, entry = analysis.tree, analysis.tree.entry
    begin, end = tree.extent
    lines, rest = placed(tree, analysis.entries)
    rows = _Rows(analysis, lines)
    told = record(analysis)
    drawn = {
        **told,
        "tone": status_tone(str(told["status"] or (entry.status if entry else ""))),
        "failed": (entry is not None and entry.failed) or (told["status"] or 0) >= 500,
        "begin_ms": begin / 1e6,
        "total_ms": (end - begin) / 1e6,
        "wait_ms": (tree.wait[1] - begin) / 1e6,
        "services": list(dict.fromkeys(span.service for _, span in tree.walk())),
        "critical_path": _path(analysis, told["critical_path"]),
        "verdict_span": analysis.verdict.span_id if analysis.verdict else "",
        "also": [verdict.sentence for verdict in analysis.also],
        "deadline": _deadline(analysis),
        "gaps": [_gap(gap, begin) for gap in analysis.gaps],
        "notes": [*_late(analysis), *analysis.notes],
        "rows": [rows.row(depth, span) for depth, span in tree.walk()],
        "logs": [_line(line, begin) for line in rest],
    }
    return all_safe(drawn)


class _Rows:
    """Makes one row after the other; what all of them need is worked out once."""

    def __init__(self, analysis: Analysis, lines: Mapping[str, Sequence[LogLine]]) -> None:
        self._tree, self._lines = analysis.tree, lines
        self._begin = analysis.tree.extent[0]
        self._critical: dict[str, list[Interval]] = defaultdict(list)
        for step in analysis.path:
            self._critical[step.span.span_id].append((step.start_ns, step.end_ns))
        self._gaps: dict[str, list[Gap]] = defaultdict(list)
        for gap in analysis.gaps:
            if gap.kind != "empty":
                self._gaps[gap.waiting.span_id].append(gap)
        answered = analysis.tree.entry_server if analysis.abandoned else None
        self._answered = answered.end_ns if answered else None

    def row(self, depth: int, span: Span) -> dict[str, Any]:
        """One span. `work`, `dark` and `critical` are stretches of its bar; what is neither is waiting.

        `waited_for` is false for the start of an instance that was over before the request came.
        """
        tree, begin = self._tree, self._begin
        parent = tree.parent(span)
        late = span.end_ns - self._answered if self._answered is not None else 0
        dark = self._gaps.get(span.span_id, ())
        work = [] if tree.callee(span) else tree.own[span.span_id]
        return {
            "id": span.span_id,
            "parent": parent.span_id if parent else "",
            "depth": depth,
            "children": len(tree.children(span)),
            "service": span.service,
            "owner": display_name(span),
            "name": span.name,
            "target": self._target(span),
            "start_ms": (span.start_ns - begin) / 1e6,
            "duration_ms": span.duration_ns / 1e6,
            "self_ms": tree.self_ns(span) / 1e6,
            "status": span.status,
            "failed": is_failure(span),
            "tone": span_tone(span),
            "failure": " ".join(span.failure.split())[:300],
            "cold": tree.cold(span),
            "waited_for": span.duration_ns > 0 or not span.is_start,
            "label": f"{display_name(span)} {span.name} {ms(span.duration_ns)} {span.status}".strip(),
            "late_ms": late / 1e6 if late > 0 else 0,
            "work": _stretches(work, begin),
            "dark": [_gap(gap, begin) for gap in dark],
            "critical": _stretches(self._critical[span.span_id], begin),
            "logs": [_line(line, begin) for line in self._lines.get(span.span_id, ())],
        }

    def _target(self, span: Span) -> str:
        """Whom a call calls, where its name does not say so."""
        callee = self._tree.callee(span)
        if span.kind != "CLIENT":
            return ""
        target = callee.service if callee else f"bucket {span.bucket}" if span.bucket else span.target
        return "" if target in span.name.split() else target


def _path(analysis: Analysis, parts: Sequence[PathPart]) -> list[dict[str, Any]]:
    """The record's critical path, each part with the id of its span, and whether its time is dark."""
    spans = {step.span.span_id: step.span for step in analysis.path}
    return [
        {**part, "id": span.span_id, "dark": analysis.tree.callee(span) is not None}
        for part, span in zip(parts, spans.values(), strict=True)
    ]


def _deadline(analysis: Analysis) -> dict[str, Any] | None:
    """The vertical line: where the client had its answer, or where the first caller gave up."""
    span, begin = analysis.deadline, analysis.tree.extent[0]
    if span is None:
        return None
    at = ms(span.end_ns - begin)
    answered = span == analysis.tree.entry_server
    label = f"{span.status} sent to the client at {at}" if answered else f"{span.service} gave up at {at}"
    return {"at_ms": (span.end_ns - begin) / 1e6, "label": label}


def _late(analysis: Analysis) -> list[str]:
    entry = analysis.tree.entry_server
    if entry is None or not analysis.abandoned or not analysis.late_services:
        return []
    late = " and ".join(
        f"{span.service} ({span.status or 'done'}, {ms(span.end_ns - entry.end_ns)} later)"
        for span in analysis.late_services
    )
    return [f"{entry.service} had answered {entry.status}. Nobody waited any more for {late}."]


def _gap(gap: Gap, begin: int) -> dict[str, Any]:
    return {
        "from_ms": (gap.start_ns - begin) / 1e6,
        "to_ms": (gap.end_ns - begin) / 1e6,
        "span": "" if gap.kind == "empty" else gap.waiting.span_id,
        "sentence": gap.sentence,
    }


def _line(line: LogLine, begin: int) -> dict[str, Any]:
    at = (line.at_ns - begin) / 1e6 if line.at_ns else None
    return {
        "at_ms": at,
        "severity": line.severity,
        "tone": severity_tone(line.severity),
        "message": line.message,
    }


def _stretches(intervals: Iterable[Interval], begin: int) -> list[list[float]]:
    return [[(start - begin) / 1e6, (end - begin) / 1e6] for start, end in intervals]
