"""A rule as the arguments of a Monitoring AlertPolicy: one condition, and a text that leads to logs, traces, dashboards and runbook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from infra import links

if TYPE_CHECKING:
    import pulumi

    from infra.alerting.rule import Rule
    from infra.stack import Stack

SERVICE = "${log.extracted_label.service}"

MOST_TEXT = 8192
"""The most characters that a notification may have (monitoring v3, AlertPolicy.Documentation)."""


def policy(stack: Stack, rule: Rule, channels: Sequence[pulumi.Input[str]]) -> dict[str, Any]:
    """The arguments of a rule's AlertPolicy. One condition and combiner OR, as LogMatch demands."""
    return {
        "display_name": title(stack, rule),
        "project": stack.project,
        "combiner": "OR",
        "severity": rule.severity,
        "conditions": [{"display_name": rule.title, **(_metrics(rule) if rule.query else _log_match(rule))}],
        "alert_strategy": _strategy(stack, rule),
        "documentation": {
            "mime_type": "text/markdown",
            "subject": title(stack, rule) if rule.query else f"{title(stack, rule)} · {SERVICE}",
            "content": _documentation(stack, rule),
        },
        "notification_channels": list(channels),
        "user_labels": stack.all_labels(),
    }


def title(stack: Stack, rule: Rule) -> str:
    """What the notification is called: what is wrong, and in which stack."""
    return f"{rule.title} · {stack.env}"


def _strategy(stack: Stack, rule: Rule) -> dict[str, Any]:
    """Log matches must have a limit, others have none (monitoring v3, AlertStrategy.notification_rate_limit)."""
    limit = {"notification_rate_limit": {"period": f"{stack.alerts.notification_period_s}s"}}
    return {**({} if rule.query else limit), "auto_close": f"{stack.alerts.auto_close_s}s"}


def _log_match(rule: Rule) -> dict[str, Any]:
    """Each combination of extracted values is an incident of its own."""
    event = {"event": "EXTRACT(jsonPayload.event)"} if rule.by_event else {}
    extractors = {"service": "EXTRACT(resource.labels.service_name)", **event}
    return {"condition_matched_log": {"filter": rule.filter, "label_extractors": extractors}}


def _metrics(rule: Rule) -> dict[str, Any]:
    """Metrics without data yet, as in any new project, are refused unless the validation is off.

    Source: monitoring v3, PrometheusQueryLanguageCondition.disable_metric_validation.
    """
    condition = {"query": rule.query, "duration": rule.hold, "evaluation_interval": "60s"}
    return {"condition_prometheus_query_language": {**condition, "disable_metric_validation": True}}


def _documentation(stack: Stack, rule: Rule) -> str:
    """What the notification says. Trace Explorer shows this stack's services, unless naming them all made it too long."""
    text = _text(stack, rule, sorted(stack.services))
    return text if len(text) <= MOST_TEXT else _text(stack, rule, [])


def _text(stack: Stack, rule: Rule, services: Sequence[str]) -> str:
    """Who is concerned, then the way to the cause."""
    who, entries = (stack.env, "Log entries") if rule.query else (SERVICE, "Matching log entries")
    spans = links.traces(stack.project, failed=not rule.all_traces, services=services, hours=rule.hours)
    section = f"infra/runbook.md#{rule.key}"
    runbook = f"[{section}]({stack.runbook_url}#{rule.key})" if stack.runbook_url else f"`{section}`"
    return (
        f"**{who}** {rule.says}.\n\n"
        f"1. [{entries}]({links.logs(stack.project, rule.filter, hours=rule.hours)}): open one, then *View trace*.\n"
        f"2. [{'All traces' if rule.all_traces else 'Traces with errors'}]({spans}) of the last {rule.hours} hours.\n"
        f"3. [Dashboards]({links.dashboards(stack.project)}): the one of *{stack.env}*.\n"
        f"4. Runbook: {runbook}.\n"
    )
