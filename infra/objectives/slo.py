"""The arguments of the Monitoring services and their SLOs. They stand on Cloud Run's own counters (see the package)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra.objectives.objective import DAYS, Objective

if TYPE_CHECKING:
    from infra.stack import Stack


def monitored(stack: Stack, service: str) -> dict[str, Any]:
    """The arguments of a service's GenericService, which is what an SLO belongs to."""
    return {
        "service_id": stack.named(service),
        "display_name": f"{service} · {stack.env}",
        "project": stack.project,
        "basic_service": {
            "service_type": "CLOUD_RUN",
            "service_labels": {"service_name": stack.named(service), "location": stack.region},
        },
        "user_labels": stack.all_labels(),
    }


def slo(stack: Stack, objective: Objective) -> dict[str, Any]:
    """The arguments of an objective's Slo, without the service that it belongs to."""
    latency = {"latency": {"threshold": _duration(objective.within_ms)}}
    return {
        "slo_id": objective.kind,
        "display_name": objective.says,
        "project": stack.project,
        "goal": objective.goal,
        "rolling_period_days": DAYS,
        "basic_sli": latency if objective.kind == "latency" else {"availability": {"enabled": True}},
        "user_labels": stack.all_labels(),
    }


def _duration(ms: int) -> str:
    """A duration as the API gives it back, or every preview shows a difference: no digits or three after the point.

    Source: protobuf's JSON mapping of google.protobuf.Duration.
    """
    return f"{ms // 1000}s" if ms % 1000 == 0 else f"{ms / 1000:.3f}s"
