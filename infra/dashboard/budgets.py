"""What is left of each objective's budget and how fast it burns, with the alerts' own charts. Nothing without objectives.

No chart mixes PromQL with filters of SLOs, which PromQL cannot read; whether the API takes such a chart is not documented.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from infra import metrics
from infra.dashboard.tile import SHARE, Line, Row, Tile, alert, chart
from infra.objectives.burn import alerting, burns, error_ratio, true_rate
from infra.objectives.objective import DAYS, objectives, promising
from infra.objectives.policy import title

if TYPE_CHECKING:
    from infra.stack import Stack

Names = Mapping[str, Mapping[str, str]]

CHARTED = 15
"""The services whose alerts have charts, at most: a dashboard takes 100 widgets (cloud.google.com/monitoring/quotas)."""


def rows(stack: Stack, policies: Mapping[str, str], slos: Names) -> list[Row]:
    """A row for all objectives, then one of alerts for each service; only policies that are in `policies` have a chart."""
    if not promising(stack):
        return []
    charts = [_alerts(stack, policies, service) for service in promising(stack)[:CHARTED]]
    tiles = (_left_by_log(stack), _left(slos), _availability(stack), _latency(stack, slos))
    return [tiles, *filter(None, charts)]


def _left_by_log(stack: Stack) -> Tile:
    """The account that has the 429s, as the alerts do; from 1, nothing spent, to 0 and below."""
    lines = []
    for each in objectives(stack):
        if each.kind == "availability":
            ratio = error_ratio(stack, each.service, f"{DAYS}d")
            # Without a bad request there is no series of them: nothing is spent, which is not the same as nothing known.
            none_bad = f"0 * sum(increase({metrics.requests(stack, service=each.service)}[{DAYS}d]))"
            query = f"1 - ({ratio} or {none_bad}) / {round(each.budget, 6):g}"
            lines.append(Line(query, legend=each.service, unit=SHARE))
    return chart(f"Availability budget left of {DAYS} days (request log)", lines, 12, [("spent", 0)])


def _left(slos: Names) -> Tile:
    """Cloud Monitoring's own account of the period. Its counters do not have the 429s (`infra/objectives/`)."""
    lines = [
        Line(filter=f'select_slo_budget_fraction("{name}")', legend=f"{service} {kind}", unit=SHARE)
        for service, names in sorted(slos.items())
        for kind, name in sorted(names.items())
    ]
    return chart(f"Error budget left of {DAYS} days (SLOs)", lines, 12, [("spent", 0)])


def _availability(stack: Stack) -> Tile:
    """In budgets per period: 1 spends exactly the budget."""
    lines = [
        Line(
            f"{error_ratio(stack, each.service, '60m')} / {round(each.budget, 6):g}",
            legend=each.service,
        )
        for each in objectives(stack)
        if each.kind == "availability"
    ]
    return chart("Burn of availability, last hour (request log)", lines, 12, _limits(stack, "availability"))


def _latency(stack: Stack, slos: Names) -> Tile:
    lines = [
        Line(filter=f'select_slo_burn_rate("{slos[service]["latency"]}", "3600s")', legend=service)
        for service in promising(stack)
    ]
    return chart("Burn of latency, last hour", lines, 12, _limits(stack, "latency"))


def _limits(stack: Stack, kind: str) -> list[tuple[str, float]]:
    """The rates at which alerts open. A low goal has a lower one, which then says whose it is."""
    found: list[tuple[str, float]] = []
    for burn in burns(stack):
        whose: dict[float, list[str]] = {}
        for each in objectives(stack):
            if each.kind == kind and burn in alerting(stack, each):
                whose.setdefault(true_rate(each, burn), []).append(each.service)
        for rate, services in sorted(whose.items(), reverse=True):
            found.append(
                (f"burns {burn.word}" + (f" ({', '.join(services)})" if len(whose) > 1 else ""), rate)
            )
    return found


def _alerts(stack: Stack, policies: Mapping[str, str], service: str) -> Row:
    found = [
        (f"{service}: {each.kind} burns {burn.word}", policies[name])
        for each in objectives(stack)
        for burn in alerting(stack, each)
        if each.service == service and (name := title(stack, each, burn)) in policies
    ]
    return tuple(alert(what, name, 48 // len(found)) for what, name in found)
