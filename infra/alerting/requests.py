"""Alerts on how requests end: too late, with a server error, too slowly, or with an error line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra import filters, metrics
from infra.alerting.rule import Rule

if TYPE_CHECKING:
    from infra.schema.objectives import ObjectivesConfig
    from infra.stack import Stack

WINDOW = "5m"

OUTAGE, OUTAGE_REQUESTS = "30m", 5
"""The window in which nothing but failures is an alert whatever the traffic, and how many of them: too few for a ratio, no chance."""


def rules(stack: Stack) -> Iterator[Rule]:
    """The latency rule is there if a service promises something."""
    yield Rule(
        "timeouts",
        "Timeouts (504)",
        "ERROR",
        filters.requests(stack, "=504"),
        "answered 504: a deadline passed before the work was done, in this service or further down",
    )
    yield _error_ratio(stack)
    if promises := _promises(stack):
        yield _latency(stack, promises)
    yield Rule(
        "error-logs",
        "Error logs",
        "WARNING",
        filters.errors(stack),
        "wrote a log line of severity ERROR or worse",
    )


def _error_ratio(stack: Stack) -> Rule:
    """From the request log: Cloud Run's own counter leaves out what no container answered."""
    ratio = stack.alerts.error_ratio
    busy = f"{_failed(stack, WINDOW)} > {ratio}\nand\n{_busy(stack, metrics.requests(stack))}"
    return Rule(
        "error-ratio",
        "Server errors (5xx)",
        "CRITICAL",
        filters.requests(stack, ">=500"),
        f"has a service that ended more than {ratio * 100:g} % of its requests with 5xx for five minutes and longer, "
        "or all of its few in half an hour",
        query=f"{busy}\nor\n{_outage(stack)}",
    )


def _failed(stack: Stack, window: str) -> str:
    """The share of each service's requests that ended with 5xx."""
    return (
        f"{_asked(metrics.requests(stack, status='5..'), window)} / {_asked(metrics.requests(stack), window)}"
    )


def _outage(stack: Stack) -> str:
    """All requests of a service failed, which may have too few for a ratio. 0.99 stands for all: sums of fractions."""
    asked = _asked(metrics.requests(stack), OUTAGE)
    return f"{_failed(stack, OUTAGE)} > 0.99\nand\n{asked} >= {OUTAGE_REQUESTS}"


def _promises(stack: Stack) -> dict[str, ObjectivesConfig]:
    """The objectives of each service that has some, by name."""
    return {
        name: promises
        for name, service in sorted(stack.services.items())
        if (promises := service.promises) is not None
    }


def _latency(stack: Stack, promises: dict[str, ObjectivesConfig]) -> Rule:
    """The percentile that must be fast is slow: for a promise of 95 % within 1000 ms, the 95th above one second.

    Exact, since each promised time is a bound of the distribution (`infra/metrics.py`).
    """
    return Rule(
        "latency",
        "Latency above the objective",
        "WARNING",
        filters.slow(stack, {name: promise.latency_ms for name, promise in promises.items()}),
        "has a service that was slower than it promises for five minutes and longer",
        query="\nor\n".join(_slow(stack, name, promise) for name, promise in promises.items()),
        all_traces=True,
    )


def _slow(stack: Stack, name: str, promise: ObjectivesConfig) -> str:
    buckets = f"sum by (service, le) (increase({metrics.latencies(stack, service=name)}[{WINDOW}]))"
    slow = f"histogram_quantile({promise.latency_share}, {buckets}) > {promise.latency_ms / 1000}"
    return f"({slow}\nand\n{_busy(stack, metrics.requests(stack, service=name))})"


def _asked(requests: str, window: str = WINDOW) -> str:
    return f"sum by (service) (increase({requests}[{window}]))"


def _busy(stack: Stack, requests: str) -> str:
    """One failure out of three requests at night is no ratio."""
    return f"{_asked(requests)} >= {stack.alerts.min_requests}"
