"""What is worth an alert, as data, and the policy that Monitoring wants for it. Declares no resource."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from infra import filters, links

if TYPE_CHECKING:
    from infra.stack import Stack

RATE_LIMIT = "300s"
"""Monitoring demands a limit for log-match conditions and sends at most one notification in five minutes anyway."""
AUTO_CLOSE = "1800s"


@dataclass(frozen=True)
class Rule:
    """A log-match alert. `key` names its resource and its section of the runbook; `says` follows the service's name."""

    key: str
    title: str
    severity: str
    filter: str
    says: str
    by_event: bool = False


def rules(stack: Stack) -> list[Rule]:
    """The alerts of a stack: one policy of each over all its services, which the extracted label tells apart."""
    return [
        Rule(
            "timeouts",
            "Timeouts (504)",
            "ERROR",
            filters.requests(stack, "=504"),
            "answered 504: a deadline passed before the work was done, in this service or further down",
        ),
        Rule(
            "server-errors",
            "Server errors (5xx)",
            "ERROR",
            filters.requests(stack, ">=500") + "\nAND NOT httpRequest.status=504",
            "answered with a server error other than 504",
        ),
        Rule(
            "error-logs",
            "Error logs",
            "WARNING",
            filters.errors(stack),
            "wrote a log line of severity ERROR or worse",
        ),
        Rule(
            "trace-export",
            "Trace export refused or failed",
            "WARNING",
            filters.exports(stack),
            "could not send its spans: requests are served, but their traces have gaps",
            by_event=True,
        ),
    ]


def policy(stack: Stack, rule: Rule, channels: Sequence[pulumi.Input[str]]) -> dict[str, Any]:
    """The arguments of a rule's AlertPolicy. One condition and combiner OR, as LogMatch demands."""
    title = f"{rule.title} · {stack.env}"
    return {
        "display_name": title,
        "project": stack.project,
        "combiner": "OR",
        "severity": rule.severity,
        "conditions": [
            {
                "display_name": rule.title,
                "condition_matched_log": {"filter": rule.filter, "label_extractors": _extractors(rule)},
            }
        ],
        "alert_strategy": {"notification_rate_limit": {"period": RATE_LIMIT}, "auto_close": AUTO_CLOSE},
        "documentation": {
            "mime_type": "text/markdown",
            "subject": f"{title} · ${{log.extracted_label.service}}",
            "content": _documentation(stack, rule),
        },
        "notification_channels": list(channels),
        "user_labels": stack.labels(),
    }


def _extractors(rule: Rule) -> dict[str, str]:
    """Each combination of extracted values is an incident of its own."""
    event = {"event": "EXTRACT(jsonPayload.event)"} if rule.by_event else {}
    return {"service": "EXTRACT(resource.labels.service_name)", **event}


def _documentation(stack: Stack, rule: Rule) -> str:
    """What the notification says: the service, then the way to the trace."""
    spans = links.traces(stack.project, failed=not rule.by_event)
    section = f"infra/runbook.md#{rule.key}"
    runbook = f"[{section}]({stack.runbook_url}#{rule.key})" if stack.runbook_url else f"`{section}`"
    return (
        f"**${{log.extracted_label.service}}** {rule.says}.\n\n"
        f"1. [Matching log entries]({links.logs(stack.project, rule.filter)}): open one, then *View trace*.\n"
        f"2. [{'All traces' if rule.by_event else 'Traces with errors'}]({spans}) of the last hour.\n"
        f"3. Runbook: {runbook}.\n"
    )
