"""How many instances a service has on average. Cold starts and the autoscaler's spare room are not counted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.schema.service import ServiceConfig

# How an instance's time is billed. The first two are those of `billing: request`.
SERVING, WARM, ALWAYS = "while serving", "kept warm", "billed by instance"
# "Idle: at most 15 minutes, unless min instances" (cloud.google.com/run/docs/container-contract).
_IDLE_S = 900


def instances(service: ServiceConfig, rps: float, request_ms: int) -> dict[str, float]:
    """Instances on average, by how their time is billed, for `rps` requests a second of `request_ms` each."""
    # Billed time is rounded up to 100 ms (cloud.google.com/run/pricing).
    request_s = math.ceil(request_ms / 100) / 10
    full = rps * request_s / service.requests_at_once
    if service.billing == "instance":
        alive = max(full, _some(rps, request_s + _IDLE_S), service.min_instances)
        return {ALWAYS: min(alive, service.max_instances)}
    serving = min(max(full, _some(rps, request_s)), service.max_instances)
    return {SERVING: serving, WARM: max(service.min_instances - serving, 0.0)}


def _some(rps: float, seconds: float) -> float:
    """The share of time in which at least one request arrived within the last `seconds`, if they arrive at random."""
    return -math.expm1(-rps * seconds)
