"""A stack whose spans or logs are estimated above their budget is refused, with the sum and what would fit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.costs.estimate import Estimate, Line, estimate
from infra.schema import wiring
from infra.schema.problem import Problem

if TYPE_CHECKING:
    from infra.stack import Stack

_TRACING, _LOGGING = "blueprint:costs.tracing_usd", "blueprint:costs.logging_usd"


def budgets(stack: Stack) -> Iterator[Problem]:
    """Both budgets, of which a stack may have none. Calls that `wiring` refuses carry no traffic that could be counted."""
    if any(wiring.calls(stack)):
        return
    found = estimate(stack)
    tracing, logging = stack.costs.tracing_usd, stack.costs.logging_usd
    if tracing is not None and found.usd("spans") > tracing:
        yield Problem(_TRACING, tracing, _spans(found), _fewer_spans(stack, tracing))
    if logging is not None and found.usd("logs") > logging:
        yield Problem(_LOGGING, logging, _logs(stack, found), _fewer_bytes(stack, found, logging))


def _spans(found: Estimate) -> str:
    made = found.spans
    factors = f"{found.requests:,.0f} requests * {made.per_request:.3g} spans * {made.kept:.3g} kept"
    return _sum(found, "spans", f"{factors} = ")


def _logs(stack: Stack, found: Estimate) -> str:
    return _sum(found, "logs", f"{stack.costs.log_bytes_per_request} bytes a request and service = ")


def _sum(found: Estimate, part: str, factors: str) -> str:
    line = _line(found, part)
    quantity = f"{factors}{line.quantity:,.2f} {line.price.unit}"
    free = f", {line.free:g} of them free" if line.free else ""
    return f"at least {found.usd(part):.2f} ({quantity} a month{free}, at {line.price.usd:.2f} USD each)"


def _line(found: Estimate, part: str) -> Line:
    return next(line for line in found.lines if line.part == part)


def _fewer_spans(stack: Stack, usd: float) -> str:
    if fits := fitting_ratio(stack, usd):
        return f"lower blueprint:tracing.sample_ratio to {fits:g}, or raise it"
    return "raise it, as no blueprint:tracing.sample_ratio makes it fit (blueprint:costs.kept_share is kept beside it)"


def fitting_ratio(stack: Stack, usd: float) -> float:
    """The largest ratio, in two significant digits, whose spans cost at most `usd` a month; 0 if none does."""
    low, high = 0.0, stack.tracing.sample_ratio
    # What spans cost grows with the ratio, but is no straight line: `keep_per_second` bends it.
    for _ in range(50):
        middle = (low + high) / 2
        tracing = stack.tracing.model_copy(update={"sample_ratio": middle})
        within = estimate(stack.model_copy(update={"tracing": tracing})).usd("spans") <= usd
        low, high = (middle, high) if within else (low, middle)
    if low < 1e-6:
        return 0.0
    step: float = 10.0 ** (math.floor(math.log10(low)) - 1)
    return round(math.floor(low / step) * step, 9)


def _fewer_bytes(stack: Stack, found: Estimate, usd: float) -> str:
    line = _line(found, "logs")
    fitting = (usd / line.price.usd + line.free) / line.quantity * stack.costs.log_bytes_per_request
    return f"log less and lower blueprint:costs.log_bytes_per_request to {math.floor(fitting)}, or raise it"
