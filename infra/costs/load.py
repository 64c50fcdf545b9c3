"""How many requests each service gets: those from outside, and those that its callers make."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.stack import Stack


def entering_rps(stack: Stack) -> float:
    """Requests a second that come from outside."""
    return sum(service.expected_rps for service in stack.services.values())


def rps(stack: Stack) -> dict[str, float]:
    """Requests a second of each service. Each request calls every service in `calls` once; retries are not counted.

    Raises `graphlib.CycleError` for calls that come back to where they began, which `schema/wiring.py` refuses.
    """
    found = {name: service.expected_rps for name, service in stack.services.items()}
    for name in reversed(stack.callees_first()):
        for callee in stack.services[name].calls:
            found[callee] += found[name]
    return found
