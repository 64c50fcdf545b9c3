"""How many spans one request makes in a service, and which share of them leaves for Cloud Trace.

Not counted: a span for each token refreshed, about one an hour and instance, and a span for each attempt of a retry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.costs import load

if TYPE_CHECKING:
    from infra.schema.service import ServiceConfig
    from infra.stack import Stack

# As app/ makes them for a document that is new: a service has a span, and so has each call it makes.
_SERVICE = 1
_CALL = 1
_BUCKET = 3  # the operation, and two requests to Cloud Storage: is it there, then upload it
_MODEL = 1
_STEP = {"extract": 1}  # counting words


@dataclass(frozen=True)
class Spans:
    """Spans of one request from outside, in all services, and the share of them that is kept (0 to 1)."""

    per_request: float
    kept: float


def in_service(service: ServiceConfig) -> int:
    """Spans of one request in one service."""
    calls, buckets = _CALL * len(service.calls), _BUCKET * len(service.buckets)
    own = _STEP.get(service.env.get("PIPELINE_STEP", ""), 0) + _MODEL * service.uses_gemini
    return _SERVICE + calls + buckets + own


def spans(stack: Stack, rps: Mapping[str, float]) -> Spans:
    """For requests a second by service, `rps`; none are kept unless they go to Cloud Trace."""
    made = {name: rps[name] * in_service(service) for name, service in stack.services.items()}
    entering, total = load.entering_rps(stack), sum(made.values())
    per_request = stack.costs.spans_per_request or (total / entering if entering else 0.0)
    if not total or not stack.tracing.reaches_google:
        return Spans(per_request, 0.0)
    kept = sum(made[name] * _kept(stack, name, rps[name]) for name in made)
    return Spans(per_request, min(kept / total, 1.0))


def _kept(stack: Stack, name: str, rps: float) -> float:
    """The share of a service's parts that is kept: within the ratio, or beyond it, which `keep_per_second` bounds."""
    ratio = stack.tracing.sample_ratio
    beyond = (1 - ratio) * stack.costs.kept_share
    most = stack.tracing.keep_per_second * stack.services[name].max_instances
    return ratio + (min(beyond, most / rps) if rps else beyond)
