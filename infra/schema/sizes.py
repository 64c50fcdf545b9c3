"""Which CPU goes with which memory, concurrency and billing on Cloud Run, and how many instances.

Source: docs.cloud.google.com/run/docs/configuring/services/cpu ("CPU and memory") and …/memory-limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.schema.problem import Problem

if TYPE_CHECKING:
    from infra.schema.service import ServiceConfig
    from infra.stack import Stack

_MEMORY_MIB = {1: (128, 4096), 2: (128, 8192), 4: (2048, 16384), 6: (4096, 24576), 8: (4096, 32768)}


def sizes(stack: Stack) -> Iterator[Problem]:
    """Every service has a size that Cloud Run sells."""
    for name, service in stack.services.items():
        yield from _sizes(f"blueprint:services.{name}", service)


def instances(stack: Stack) -> Iterator[Problem]:
    """Fewer instances at least than at most."""
    for name, service in stack.services.items():
        if service.min_instances > service.max_instances:
            yield Problem(
                f"blueprint:services.{name}.min_instances",
                service.min_instances,
                f"at most max_instances, which is {service.max_instances}",
                "lower it, or raise max_instances",
            )


def _sizes(key: str, service: ServiceConfig) -> Iterator[Problem]:
    cpu = service.cpu
    if cpu not in _MEMORY_MIB and not 0.08 <= cpu < 1:
        yield Problem(
            f"{key}.cpu", cpu, "1, 2, 4, 6 or 8, or a fraction from 0.08 to below 1", "choose one of these"
        )
        return
    least, most = _MEMORY_MIB.get(int(cpu)) or (128, 1024 if cpu >= 0.5 else 512)
    if not least <= service.memory_mib <= most:
        yield Problem(
            f"{key}.memory",
            service.memory,
            f"{least}Mi to {most}Mi with cpu {cpu:g}",
            "change memory, or cpu",
        )
    if service.billing == "instance" and service.memory_mib < 512:
        yield Problem(
            f"{key}.memory",
            service.memory,
            "512Mi or more with billing instance",
            "raise it, or bill by request",
        )
    if cpu < 1:
        yield from _fraction(key, service)


def _fraction(key: str, service: ServiceConfig) -> Iterator[Problem]:
    """Less than one vCPU serves one request at a time and is billed by request."""
    if service.requests_at_once != 1:
        yield Problem(
            f"{key}.concurrency",
            service.concurrency,
            f"1 with cpu {service.cpu:g}",
            "set it to 1, or cpu to 1",
        )
    if service.billing != "request":
        yield Problem(
            f"{key}.billing",
            service.billing,
            f"request with cpu {service.cpu:g}",
            "set it to request, or cpu to 1",
        )
