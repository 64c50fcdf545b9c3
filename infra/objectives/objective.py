"""The objectives of a stack as data: an availability and a latency for each service that promises something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from infra.stack import Stack

DAYS = 28
"""The rolling period. Four weeks hold as many weekends at any time; Monitoring takes 1 to 30 days."""

BAD = "5..|429"
"""The statuses that break availability: the service's own errors, and requests refused for want of an instance."""


@dataclass(frozen=True)
class Objective:
    """A promise of one service. `goal` is the share of requests that must be good, `within_ms` what a fast one takes at most."""

    service: str
    kind: Literal["availability", "latency"]
    goal: float
    within_ms: int = 0

    @property
    def budget(self) -> float:
        """The share of requests that may be bad."""
        return 1 - self.goal

    @property
    def says(self) -> str:
        """The promise in words."""
        good = f"within {self.within_ms} ms" if self.kind == "latency" else "without 5xx or 429"
        return f"{100 * self.goal:g} % of requests {good} over {DAYS} days"


def objectives(stack: Stack) -> list[Objective]:
    """Those of every service that promises something, in the order of names."""
    found = []
    for name in sorted(stack.services):
        if promises := stack.services[name].promises:
            found += [
                Objective(name, "availability", promises.availability),
                Objective(name, "latency", promises.latency_share, promises.latency_ms),
            ]
    return found


def promising(stack: Stack) -> list[str]:
    """The services that promise something, by logical name."""
    return list(dict.fromkeys(objective.service for objective in objectives(stack)))
