"""Alerts on the tracing itself: spans that cannot leave, and requests that leave none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra import filters, promql
from infra.alerting.rule import Rule

if TYPE_CHECKING:
    from infra.stack import Stack


def rules(stack: Stack) -> Iterator[Rule]:
    """Silence is an alert only where spans are expected in Cloud Trace."""
    yield Rule(
        "trace-export",
        "Trace export refused or failed",
        "WARNING",
        filters.exports(stack),
        "could not send spans, or dropped some: requests are served, but their traces have gaps",
        all_traces=True,
        by_event=True,
    )
    if stack.tracing.silence_is_a_fault:
        yield Rule(
            "trace-silent",
            "Requests without spans",
            "ERROR",
            filters.silence(stack),
            "has served requests for 15 minutes and exported nothing",
            all_traces=True,
        )
        yield _missing(stack)


def _missing(stack: Stack) -> Rule:
    """The same seen from outside: it opens even if no service notices anything."""
    return Rule(
        "trace-missing",
        "Requests without spans, from outside",
        "ERROR",
        filters.services(stack),
        "has served requests for 15 minutes of which Cloud Trace received no span",
        query=promql.requests_without_spans(stack),
        hold=promql.HOLD,
        all_traces=True,
    )
