"""What is worth an alert, as data. How Monitoring is told of it is in `infra/alert_policy.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra import filters, promql

if TYPE_CHECKING:
    from infra.stack import Stack


@dataclass(frozen=True)
class Rule:
    """An alert. `key` names its resource and its section of the runbook; `says` follows the service's name.

    With a `query` it watches metrics: then `says` follows the stack's name, and `filter` only finds what its services
    wrote. Without one it opens for each log entry that `filter` matches.
    """

    key: str
    title: str
    severity: str
    filter: str
    says: str
    query: str = ""
    about_spans: bool = False
    by_event: bool = False


def rules(stack: Stack) -> list[Rule]:
    """The alerts of a stack: one policy of each over all its services, which the extracted label tells apart."""
    silent = [_silent(stack), _missing(stack)] if stack.tracing.silence_is_a_fault else []
    return [_timeouts(stack), _server_errors(stack), _error_logs(stack), _export(stack), *silent]


def _timeouts(stack: Stack) -> Rule:
    return Rule(
        "timeouts",
        "Timeouts (504)",
        "ERROR",
        filters.requests(stack, "=504"),
        "answered 504: a deadline passed before the work was done, in this service or further down",
    )


def _server_errors(stack: Stack) -> Rule:
    return Rule(
        "server-errors",
        "Server errors (5xx)",
        "ERROR",
        filters.requests(stack, ">=500") + "\nAND NOT httpRequest.status=504",
        "answered with a server error other than 504",
    )


def _error_logs(stack: Stack) -> Rule:
    return Rule(
        "error-logs",
        "Error logs",
        "WARNING",
        filters.errors(stack),
        "wrote a log line of severity ERROR or worse",
    )


def _export(stack: Stack) -> Rule:
    return Rule(
        "trace-export",
        "Trace export refused or failed",
        "WARNING",
        filters.exports(stack),
        "could not send spans, or dropped some: requests are served, but their traces have gaps",
        about_spans=True,
        by_event=True,
    )


def _silent(stack: Stack) -> Rule:
    return Rule(
        "trace-silent",
        "Requests without spans",
        "ERROR",
        filters.silence(stack),
        "has served requests for 15 minutes and exported nothing",
        about_spans=True,
    )


def _missing(stack: Stack) -> Rule:
    """The same seen from outside: it opens even if no service notices anything."""
    return Rule(
        "trace-missing",
        "Requests without spans, from outside",
        "ERROR",
        filters.services(stack),
        "has served requests for 15 minutes of which Cloud Trace received no span",
        query=promql.requests_without_spans(stack),
        about_spans=True,
    )
