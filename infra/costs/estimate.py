"""What a stack costs a month, line by line, from the traffic it declares.

Unknown to the stack file and so not here: bytes stored, data leaving the region, models, alerting, images and builds, cold
starts, spare instances; nor are probes: each is billed like a request, so one of 100 ms in 10 s is 1 % of an instance serving.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.costs import load, prices
from infra.costs.instances import ALWAYS, SERVING, WARM, instances
from infra.costs.prices import MONTH_S, Price
from infra.costs.spans import Spans, spans

if TYPE_CHECKING:
    from infra.stack import Stack

_GIB = 2**30
_MILLION = 1e6
_THOUSAND = 1e3
_RENT = {
    SERVING: (prices.SERVING_CPU, prices.SERVING_MEMORY),
    WARM: (prices.WARM_CPU, prices.WARM_MEMORY),
    ALWAYS: (prices.ALWAYS_CPU, prices.ALWAYS_MEMORY),
}
_Quantity = tuple[str, str, float, Price]  # part, what, how many units


@dataclass(frozen=True)
class Line:
    """`quantity` units of one thing, `free` of them free. `part` is spans, logs, instances or buckets."""

    part: str
    what: str
    quantity: float
    free: float
    price: Price

    @property
    def usd(self) -> float:
        """USD a month, to the cent: what is shown is what is added up."""
        return round((self.quantity - self.free) * self.price.usd, 2)


@dataclass(frozen=True)
class Estimate:
    """A month of 30 days. `requests` come from outside."""

    requests: float
    spans: Spans
    lines: tuple[Line, ...]

    def usd(self, part: str) -> float:
        """USD a month for spans, logs, instances or buckets."""
        return round(sum(line.usd for line in self.lines if line.part == part), 2)

    @property
    def total_usd(self) -> float:
        """USD a month for everything that is counted."""
        return round(sum(line.usd for line in self.lines), 2)


def estimate(stack: Stack) -> Estimate:
    """The estimate for `stack`, whose calls must be free of cycles (`load.rps`)."""
    rps = load.rps(stack)
    requests, made = load.entering_rps(stack) * MONTH_S, spans(stack, rps)
    sent = requests * made.per_request * made.kept
    logged = sum(rps.values()) * MONTH_S * stack.costs.log_bytes_per_request
    quantities = [
        ("spans", "sent to Cloud Trace", sent / _MILLION, prices.SPANS),
        ("logs", "ingested", logged / _GIB, prices.LOGS),
        *_instances(stack, rps),
        *_buckets(stack, rps),
    ]
    lines = (
        Line(part, what, quantity, min(quantity, price.free) if stack.costs.free_tier else 0.0, price)
        for part, what, quantity, price in quantities
    )
    return Estimate(requests, made, tuple(line for line in lines if line.quantity))


def _instances(stack: Stack, rps: Mapping[str, float]) -> Iterator[_Quantity]:
    """CPU and memory are rented by the second, each service's in its own size."""
    cpu, memory = dict.fromkeys(_RENT, 0.0), dict.fromkeys(_RENT, 0.0)
    for name, service in stack.services.items():
        for billed, count in instances(service, rps[name], stack.costs.request_ms).items():
            cpu[billed] += count * MONTH_S * service.cpu
            memory[billed] += count * MONTH_S * service.memory_mib / 1024
    for billed, (of_cpu, of_memory) in _RENT.items():
        yield "instances", f"CPU, {billed}", cpu[billed], prices.in_region(of_cpu, stack.region)
        yield "instances", f"memory, {billed}", memory[billed], prices.in_region(of_memory, stack.region)
    requests = sum(rps[name] for name, service in stack.services.items() if service.billing == "request")
    yield "instances", "requests", requests * MONTH_S / _MILLION, prices.REQUESTS


def _buckets(stack: Stack, rps: Mapping[str, float]) -> Iterator[_Quantity]:
    """Each request to a service looks once into each of its buckets and uploads once."""
    for bucket, config in sorted(stack.buckets.items()):
        uses = sum(rps[name] for name, service in stack.services.items() if bucket in service.buckets)
        operations = uses * MONTH_S / _THOUSAND
        yield "buckets", f"uploads to {bucket}", operations, prices.uploads(config.location or stack.region)
        yield "buckets", f"lookups in {bucket}", operations, prices.LOOKUPS


def export(estimate: Estimate) -> dict[str, Any]:
    """The estimate as plain JSON, for `pulumi.export`."""
    return {
        "usd_per_month": estimate.total_usd,
        "requests_per_month": round(estimate.requests),
        "spans_per_request": round(estimate.spans.per_request, 3),
        "spans_kept": round(estimate.spans.kept, 6),
        "lines": [
            {
                "part": line.part,
                "what": line.what,
                "quantity": round(line.quantity, 3),
                "free": round(line.free, 3),
                "unit": line.price.unit,
                "usd": line.usd,
            }
            for line in estimate.lines
        ],
    }
