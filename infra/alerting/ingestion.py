"""Alerts on what telemetry costs: spans and log bytes ingested, at a rate that a month's budget does not cover.

Google counts both per project, so a project that several stacks share is compared with each one's budget.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra import filters, promql
from infra.alerting.rule import Rule
from infra.costs.prices import DAYS, LOGS, SPANS, Price

if TYPE_CHECKING:
    from infra.stack import Stack

WINDOW, HOURS = "1d", 24
"""A whole day, or each day's peak would look like a month of it. Ten times the budget still shows after some two hours."""

RECENT = "1h"
"""The rate must be too high in this window as well: the day remembers for a day what was mended hours ago."""


def rules(stack: Stack) -> Iterator[Rule]:
    """A rule for each budget."""
    if stack.costs.tracing_usd is not None:
        yield _spans(stack, stack.costs.tracing_usd)
    if stack.costs.logging_usd is not None:
        yield _logs(stack, stack.costs.logging_usd)


def _spans(stack: Stack, budget: float) -> Rule:
    return Rule(
        "span-ingestion",
        "Trace ingestion above the budget",
        "WARNING",
        filters.services(stack),
        f"ingests spans at a rate that costs more than {budget:g} USD a month",
        query=_a_month(promql.spans(stack), _affordable(stack, SPANS, budget) * 1e6),
        hold=promql.HOLD,
        all_traces=True,
        hours=HOURS,
    )


def _logs(stack: Stack, budget: float) -> Rule:
    ingested = promql.selector("logging_googleapis_com:billing_bytes_ingested", "global", stack)
    return Rule(
        "log-ingestion",
        "Log ingestion above the budget",
        "WARNING",
        filters.services(stack),
        f"ingests logs at a rate that costs more than {budget:g} USD a month",
        query=_a_month(ingested, _affordable(stack, LOGS, budget) * 2**30),
        hold=promql.HOLD,
        all_traces=True,
        hours=HOURS,
    )


def _affordable(stack: Stack, price: Price, budget: float) -> float:
    """What the budget buys in a month, in units of the price, beyond what is free."""
    return (price.free if stack.costs.free_tier else 0) + budget / price.usd


def _a_month(counter: str, most: float) -> str:
    """The last hour and the last day, each as a month of it."""
    recent = f"sum(increase({counter}[{RECENT}])) * {HOURS * DAYS} > {round(most)}"
    return f"{recent}\nand\nsum(increase({counter}[{WINDOW}])) * {DAYS} > {round(most)}"
