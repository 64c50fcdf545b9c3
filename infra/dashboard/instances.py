"""Instances: how many, how they start, what they use. Cloud Run's own metrics; CPU and memory are shares of the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.dashboard.query import quantile_by_service, run_metric
from infra.dashboard.tile import SHARE, Line, Row, chart

if TYPE_CHECKING:
    from infra.stack import Stack


def rows(stack: Stack) -> list[Row]:
    """Cold starts and instances; then CPU and memory."""
    starts = f"sum by (service_name) (increase({run_metric(stack, 'startup_latencies_count')}[5m]))"
    startup = quantile_by_service(stack, "startup_latencies", 0.95)
    count = f"sum by (service_name, state) ({run_metric(stack, 'instance_count')})"
    return [
        (
            chart("Cold starts in 5 minutes", [Line(starts)], 16),
            chart("Startup latency p95", [Line(startup, unit="ms")], 16),
            chart("Instances", [Line(count)], 16),
        ),
        (
            chart(
                "CPU utilisation p95",
                [Line(quantile_by_service(stack, "cpu_utilizations", 0.95), unit=SHARE)],
                24,
            ),
            chart(
                "Memory utilisation p95",
                [Line(quantile_by_service(stack, "memory_utilizations", 0.95), unit=SHARE)],
                24,
            ),
        ),
    ]
