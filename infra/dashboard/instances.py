"""Instances: how many, how they start, what they use. Cloud Run's own metrics; CPU and memory are shares of the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra import promql
from infra.dashboard.tile import SHARE, Line, Row, chart

if TYPE_CHECKING:
    from infra.stack import Stack


def rows(stack: Stack) -> list[Row]:
    """Cold starts and instances; then CPU and memory."""
    starts = f"sum by (service_name) (increase({promql.run(stack, 'container_startup_latencies_count')}[5m]))"
    startup = _quantile(stack, "startup_latencies", 0.95)
    count = f"sum by (service_name, state) ({promql.run(stack, 'container_instance_count')})"
    return [
        (
            chart("Cold starts in 5 minutes", [Line(starts)], 16),
            chart("Startup latency p95", [Line(startup, unit="ms")], 16),
            chart("Instances", [Line(count)], 16),
        ),
        (
            chart(
                "CPU utilisation p95",
                [Line(_quantile(stack, "cpu_utilizations", 0.95), unit=SHARE)],
                24,
            ),
            chart(
                "Memory utilisation p95",
                [Line(_quantile(stack, "memory_utilizations", 0.95), unit=SHARE)],
                24,
            ),
        ),
    ]


def _quantile(stack: Stack, metric: str, quantile: float) -> str:
    """A quantile of a distribution over all instances of each service, in the metric's own unit."""
    buckets = promql.run(stack, f"container_{metric}_bucket")
    return f"histogram_quantile({quantile:g}, sum by (service_name, le) (rate({buckets}[5m])))"
