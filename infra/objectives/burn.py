"""How fast an error budget burns, and when that wakes somebody: the expressions, without the policies around them.

PromQL, because one expression holds both windows and the traffic gate. `select_slo_burn_rate` allows neither: a threshold
condition looks at one series, and a second condition for the traffic is compared on its own labels and time.
Rates and windows are those of the SRE workbook, chapter "Alerting on SLOs".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra import metrics
from infra.objectives.objective import BAD, Objective

if TYPE_CHECKING:
    from infra.stack import Stack

MOST_BAD = 0.9
"""No more than all requests can be bad: where a goal is so low that a burn would need more than this share, this share counts.

So below a goal of 93.75 % the fast burn is slower than its `rate` (`true_rate` has the figure), and up to 85 % both are one.
"""


@dataclass(frozen=True)
class Burn:
    """A rate of burning, in budgets per period, that must be exceeded in both windows; the short one ends the alert soon."""

    key: str
    word: str
    rate: float
    long_minutes: int
    short_minutes: int
    severity: str


FAST = Burn("burn-fast", "fast", 14.4, 60, 5, "CRITICAL")
SLOW = Burn("burn-slow", "slowly", 6, 360, 30, "WARNING")


def burns(stack: Stack) -> list[Burn]:
    """Those that the stack has not switched off."""
    return [burn for burn in (FAST, SLOW) if burn.key not in stack.alerts.off]


def alerting(stack: Stack, objective: Objective) -> list[Burn]:
    """Those of an objective: not the slow one where both would open at the same share of bad requests."""
    found = burns(stack)
    twins = found == [FAST, SLOW] and bad_share(objective, FAST) == bad_share(objective, SLOW)
    return [FAST] if twins else found


def bad_share(objective: Objective, burn: Burn) -> float:
    """The share of bad requests above which the alert opens: that at which the budget burns at `burn.rate`, at most MOST_BAD."""
    return round(min(burn.rate * objective.budget, MOST_BAD), 6)


def true_rate(objective: Objective, burn: Burn) -> float:
    """The rate of burning at that share, in budgets per period: `burn.rate`, or less where the goal is low."""
    return round(bad_share(objective, burn) / objective.budget, 3)


def expression(stack: Stack, objective: Objective, burn: Burn) -> str:
    """True while more than `bad_share` were bad in both windows, at a traffic of `alerts.min_requests` in 5 minutes."""
    short, share = f"{burn.short_minutes}m", bad_share(objective, burn)
    windows = [_exceeds(stack, objective, share, window) for window in (f"{burn.long_minutes}m", short)]
    enough = stack.alerts.min_requests * burn.short_minutes // 5
    traffic = f"sum(increase({metrics.requests(stack, service=objective.service)}[{short}])) >= {enough}"
    return "\nand\n".join([*windows, traffic])


def error_ratio(stack: Stack, service: str, window: str) -> str:
    """The share of a service's requests that were bad, from the request log; nothing where there was no bad one."""
    bad = metrics.requests(stack, service=service, status=BAD)
    return f"sum(increase({bad}[{window}])) / sum(increase({metrics.requests(stack, service=service)}[{window}]))"


def _exceeds(stack: Stack, objective: Objective, share: float, window: str) -> str:
    if objective.kind == "availability":
        return f"{error_ratio(stack, objective.service, window)} > {share:g}"
    return f"{_quantile(stack, objective.service, 1 - share, window)} > {objective.within_ms / 1000}"


def _quantile(stack: Stack, service: str, quantile: float, window: str) -> str:
    """More than x of all requests are slow exactly if the (1 - x)-quantile is above the limit, which is a bound (`infra/metrics.py`).

    Not the bucket of that bound itself: how it is written in the label `le` (`1` or `1.0`) is not documented for Google's metrics.
    """
    buckets = f"sum by (le) (increase({metrics.latencies(stack, service=service)}[{window}]))"
    return f"histogram_quantile({round(quantile, 6):g}, {buckets})"
