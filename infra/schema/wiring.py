"""Who calls whom and who uses which bucket: rules over the whole stack, since each line of it becomes a grant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from infra.schema.problem import Problem

if TYPE_CHECKING:
    from infra.stack import Stack


def calls(stack: Stack) -> Iterator[Problem]:
    """Every call goes to another service of the stack, and calls never come back to where they began."""
    for name, service in stack.services.items():
        key = f"blueprint:services.{name}.calls"
        yield from _references(key, service.calls, sorted(stack.services.keys() - {name}), "service")
    if cycle := _cycle(stack):
        yield Problem(
            f"blueprint:services.{cycle[0]}.calls",
            " → ".join(cycle),
            "free of cycles (a service's URL is known only once it exists)",
            "remove one of these calls",
        )


def _cycle(stack: Stack) -> list[str]:
    graph = {name: sorted(set(service.calls) - {name}) for name, service in stack.services.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found[::-1]  # graphlib lists callees first
    return []


def buckets(stack: Stack) -> Iterator[Problem]:
    """Services use declared buckets, and each once."""
    for name, service in stack.services.items():
        key = f"blueprint:services.{name}.buckets"
        yield from _references(key, service.buckets, sorted(stack.buckets), "bucket")


def locations(stack: Stack) -> Iterator[Problem]:
    """A bucket elsewhere says why."""
    for name, bucket in stack.buckets.items():
        if bucket.location and bucket.location.lower() != stack.region and not bucket.cross_region_reason:
            yield Problem(
                f"blueprint:buckets.{name}.location",
                bucket.location,
                f"the stack's region {stack.region} (every access would cross regions)",
                f"remove location, or say why in blueprint:buckets.{name}.cross_region_reason",
            )


def _references(key: str, names: Sequence[str], declared: Sequence[str], what: str) -> Iterator[Problem]:
    allowed = f"one of {', '.join(declared)}" if declared else f"absent, as there is no other {what}"
    for name in dict.fromkeys(names):
        if name not in declared:
            yield Problem(key, name, allowed, f"declare the {what} or correct the name")
        elif names.count(name) > 1:
            yield Problem(key, list(names), "free of repetitions", f"name {name} once")
