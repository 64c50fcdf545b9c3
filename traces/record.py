"""One analysis as automation reads it: what `explain --json` prints and the console shows. Decides nothing."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from traces.analysis import Analysis
from traces.cause import Cause
from traces.logline import instant, run_service
from traces.tree import Tree


class PathPart(TypedDict):
    """A span's own time on the critical path: milliseconds, and the share of all of it (0 to 1)."""

    service: str
    span: str
    self_ms: float
    share: float


class VerdictRecord(TypedDict):
    """The hop at fault; `share` from 0 to 1."""

    service: str
    span: str
    share: float
    cause: Cause
    sentence: str


class Record(TypedDict):
    """One request. `duration_ms` is the client's wait, `status` what it got; `dark_ms` counts in the whole trace.

    `critical_path` has each span once, by its first own time; its shares sum to 1, or 0 if no time passed.
    """

    trace_id: str
    duration_ms: float
    status: int | None
    critical_path: list[PathPart]
    dark_ms: float
    verdict: VerdictRecord | None


def record(analysis: Analysis) -> Record:
    """The contract of `explain --json`; the same spans give the same record, in whatever order they came."""
    wait = analysis.tree.wait
    verdict = analysis.verdict
    return Record(
        trace_id=analysis.trace.trace_id,
        duration_ms=_ms(wait[1] - wait[0]),
        status=client_status(analysis.tree, analysis.entries),
        critical_path=_path(analysis),
        dark_ms=_ms(analysis.dark_ns),
        verdict=VerdictRecord(
            service=verdict.service,
            span=verdict.span,
            share=round(verdict.share, 6),
            cause=verdict.cause,
            sentence=verdict.sentence,
        )
        if verdict
        else None,
    )


def client_status(tree: Tree, entries: Sequence[Mapping[str, Any]]) -> int | None:
    """The HTTP status that the client got.

    Cloud Run can answer for a service that goes on (504 at its own timeout), which only its span and its request log
    tell: they go before what the service says.
    """
    entry, server = tree.entry, tree.entry_server
    if entry is not None and (entry.is_platform or entry.kind == "CLIENT") and entry.http_status:
        return entry.http_status
    if server is None:
        return entry.http_status if entry is not None else None
    logged = [
        (abs(instant(found) - server.start_ns), request["status"])
        for found in entries
        if isinstance(request := found.get("httpRequest"), dict)
        and isinstance(request.get("status"), int)
        and run_service(found) == server.run_service
    ]
    return min(logged)[1] if logged else server.http_status


def _path(analysis: Analysis) -> list[PathPart]:
    totals: dict[str, int] = {}
    spans = {step.span.span_id: step.span for step in analysis.path}
    for step in analysis.path:
        totals[step.span.span_id] = totals.get(step.span.span_id, 0) + step.duration_ns
    whole = sum(totals.values())
    parts = [
        PathPart(
            service=spans[span_id].service,
            span=spans[span_id].name,
            self_ms=_ms(time),
            share=round(time / whole, 6),
        )
        for span_id, time in totals.items()
    ]
    if parts:
        largest = max(parts, key=lambda part: part["share"])
        largest["share"] = round(1.0 - sum(part["share"] for part in parts if part is not largest), 6)
    return parts


def _ms(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 3)
