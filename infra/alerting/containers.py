"""Alerts on what happens to instances: they crash, run out of memory, do not start, are not to be had, or soon will not be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra import filters, promql
from infra.alerting.rule import Rule

if TYPE_CHECKING:
    from infra.stack import Stack


def rules(stack: Stack) -> Iterator[Rule]:
    """The last rule is there if a service has a limit that can come nearer."""
    yield Rule(
        "crash",
        "Container crashed",
        "ERROR",
        filters.crashes(stack),
        "lost an instance: its process ended by itself, or no longer answered its liveness probe",
    )
    yield Rule(
        "out-of-memory",
        "Out of memory",
        "ERROR",
        filters.out_of_memory(stack),
        "lost an instance that exceeded its memory, and with it every request that it served",
    )
    yield Rule(
        "failed-start",
        "Instance did not start",
        "ERROR",
        filters.failed_starts(stack),
        "has an instance that did not pass its startup probe",
    )
    yield Rule(
        "no-instance",
        "No available instance",
        "CRITICAL",
        filters.no_instance(stack),
        "refused a request because no instance could be had for it in time",
    )
    if limits := _limits(stack):
        yield _instances(stack, limits)


def _limits(stack: Stack) -> dict[str, int]:
    """The number of busy instances that is near the maximum, by service.

    Left out is a service that would always be there: with one instance at most, or as many kept warm.
    """
    near = {
        name: math.ceil(service.max_instances * stack.alerts.instance_share)
        for name, service in sorted(stack.services.items())
    }
    return {name: count for name, count in near.items() if count > max(1, stack.services[name].min_instances)}


def _instances(stack: Stack, limits: dict[str, int]) -> Rule:
    share = stack.alerts.instance_share
    return Rule(
        "instances",
        "Instances near the maximum",
        "WARNING",
        filters.starts(stack),
        f"has a service of which {share * 100:g} % or more of its `max_instances` are busy; beyond them requests are refused",
        query="\nor\n".join(_near(stack, name, count) for name, count in limits.items()),
        all_traces=True,
    )


def _near(stack: Stack, name: str, count: int) -> str:
    """`max_instances` is a limit of each revision, so the fullest one counts; idle instances are no load."""
    instances = promql.run(stack, "container_instance_count", 'state="active"', service=name)
    return f"max by (service_name) (sum by (service_name, revision_name) ({instances})) >= {count}"
