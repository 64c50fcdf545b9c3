"""An objective that burns as the arguments of a Monitoring AlertPolicy: one PromQL condition, and a text that leads on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pulumi

from infra import filters, links
from infra.objectives.burn import Burn, bad_share, expression, true_rate
from infra.objectives.objective import DAYS, Objective

if TYPE_CHECKING:
    from infra.stack import Stack


def title(stack: Stack, objective: Objective, burn: Burn) -> str:
    """What is wrong, where; the name by which the policy is known."""
    return f"{objective.service}: {objective.kind} budget burns {burn.word} · {stack.env}"


def policy(
    stack: Stack, objective: Objective, burn: Burn, channels: Sequence[pulumi.Input[str]]
) -> dict[str, Any]:
    """The arguments of the AlertPolicy of one objective and rate."""
    name = title(stack, objective, burn)
    return {
        "display_name": name,
        "project": stack.project,
        "combiner": "OR",
        "severity": burn.severity,
        "conditions": [
            {
                "display_name": f"More than {_percent(bad_share(objective, burn))} of requests are bad",
                "condition_prometheus_query_language": {
                    "query": expression(stack, objective, burn),
                    # The windows are the patience; a metric without data yet would be refused with validation on.
                    "duration": "0s",
                    "evaluation_interval": "60s",
                    "disable_metric_validation": True,
                },
            }
        ],
        "alert_strategy": {"auto_close": f"{stack.alerts.auto_close_s}s"},
        "documentation": {
            "mime_type": "text/markdown",
            "subject": name,
            "content": _documentation(stack, objective, burn),
        },
        "notification_channels": list(channels),
        "user_labels": stack.all_labels(service=objective.service),
    }


def bad_requests(stack: Stack, objective: Objective) -> str:
    """The Logging query for the requests that count against an objective."""
    bad = f'httpRequest.latency>"{objective.within_ms / 1000}s"'
    if objective.kind == "availability":
        bad = "(httpRequest.status>=500 OR httpRequest.status=429)"
    return "\nAND ".join(
        [
            filters.requests(stack, ">0"),
            f'resource.labels.service_name="{stack.named(objective.service)}"',
            bad,
        ]
    )


def _documentation(stack: Stack, objective: Objective, burn: Burn) -> str:
    share = bad_share(objective, burn)
    section = f"infra/runbook.md#{burn.key}"
    runbook = f"[{section}]({stack.runbook_url}#{burn.key})" if stack.runbook_url else f"`{section}`"
    failed = objective.kind == "availability"
    spans = links.traces(stack.project, failed=failed, services=[objective.service])
    return (
        f"**{stack.named(objective.service)}** promises {objective.says}. More than {_percent(share)} were bad in the last "
        f"{burn.long_minutes} minutes, and are in the last {burn.short_minutes}: "
        f"{true_rate(objective, burn):.3g} times as many as it allows. At this rate the whole budget is gone "
        f"in {DAYS * objective.budget / share:.1f} days.\n\n"
        f"1. [The bad requests]({links.logs(stack.project, bad_requests(stack, objective))}): open one, then *View trace*.\n"
        f"2. [{'Traces with errors' if failed else 'All traces'}]({spans}) of the last {links.HOURS} hours.\n"
        f"3. [Dashboards]({links.dashboards(stack.project)}): the one of *{stack.env}*.\n"
        f"4. Runbook: {runbook}.\n"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
