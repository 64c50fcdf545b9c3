"""What tracing costs and whether it works. Google counts spans by project: stacks that share one show the same figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra import filters, promql
from infra.costs.prices import MONTH_S, SPANS
from infra.dashboard.tile import PER_SECOND, USD, Line, Row, Tile, chart, log_panel

if TYPE_CHECKING:
    from infra.stack import Stack


def rows(stack: Stack) -> list[Row]:
    """Spans and their cost, if they go to Google; failures of the export in any case."""
    failures = "Failures of the trace export"
    if not stack.tracing.reaches_google:
        return [(log_panel(failures, filters.exports(stack), 48),)]
    return [(_ingested(stack), _cost(stack), log_panel(failures, filters.exports(stack), 16))]


def _ingested(stack: Stack) -> Tile:
    return chart(
        "Spans ingested a second (project)",
        [Line(f"sum(rate({promql.spans(stack)}[15m]))", unit=PER_SECOND)],
        16,
    )


def _cost(stack: Stack) -> Tile:
    """At the list price beyond the free spans; what other projects of the billing account use of these is not seen here."""
    free = SPANS.free * 1e6 if stack.costs.free_tier else 0
    at_this_rate = f"sum(rate({promql.spans(stack)}[1h])) * {MONTH_S}"
    so_far = f"sum({promql.spans(stack, 'monthly_spans_ingested')})"
    lines = [
        Line(_usd(at_this_rate, free), legend="at the rate of the last hour", unit=USD),
        Line(_usd(so_far, free), legend="this month so far", unit=USD),
    ]
    budget = stack.costs.tracing_usd
    return chart(
        "Spans, USD a month (project)", lines, 16, [("budget", budget)] if budget is not None else []
    )


def _usd(spans: str, free: float) -> str:
    return f"clamp_min({spans} - {free:.0f}, 0) * {SPANS.usd:g} / 1000000"
