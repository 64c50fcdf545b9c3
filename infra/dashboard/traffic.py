"""What callers see, from the request log: it has the refused requests, and cold starts in its latencies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra import metrics
from infra.dashboard.tile import PER_SECOND, SECONDS, SHARE, Line, Row, Tile, chart
from infra.objectives.objective import BAD

if TYPE_CHECKING:
    from infra.stack import Stack


def rows(stack: Stack) -> list[Row]:
    """Requests and errors; then latencies."""
    every = metrics.requests(stack)
    requests = f"sum by (service) (rate({every}[5m]))"
    errors = f"sum by (service, status) (rate({metrics.requests(stack, status='4..|5..')}[5m]))"
    bad = f"sum by (service) (rate({metrics.requests(stack, status=BAD)}[5m]))"
    # A service without a bad request has no series: it is shown at zero, not absent.
    ratio = f"({bad} or 0 * {requests}) / {requests}"
    return [
        (
            chart("Requests a second", [Line(requests, unit=PER_SECOND)], 16),
            chart("4xx and 5xx a second, by status", [Line(errors, unit=PER_SECOND)], 16),
            chart(
                "Share of 5xx and 429",
                [Line(ratio, unit=SHARE)],
                16,
                [("alert", stack.alerts.error_ratio)],
            ),
        ),
        tuple(_latency(stack, quantile) for quantile in (0.5, 0.95, 0.99)),
    ]


def _latency(stack: Stack, quantile: float) -> Tile:
    query = f"histogram_quantile({quantile:g}, sum by (service, le) (rate({metrics.latencies(stack)}[5m])))"
    return chart(f"Latency p{100 * quantile:g}", [Line(query, unit=SECONDS)], 16)
