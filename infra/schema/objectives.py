"""`blueprint:services.<name>.objectives`: what the service promises over 28 days."""

from __future__ import annotations

from pydantic import Field

from infra.schema.model import Model


class ObjectivesConfig(Model):
    """Shares of all requests. A request that is refused for want of an instance counts as bad.

    The highest goal is the provider's (pulumi_gcp monitoring.Slo: `0 < goal <= 0.999`).
    """

    availability: float = Field(
        default=0.995,
        ge=0.5,
        le=0.999,
        title="share of requests that must not end with 5xx or 429",
        description="a number from 0.5 to 0.999 (the highest goal of an SLO), such as 0.995",
    )
    latency_ms: int = Field(
        default=1000,
        ge=1,
        le=3_600_000,
        title="time within which a request is fast",
        description="whole milliseconds from 1 to 3600000",
    )
    latency_share: float = Field(
        default=0.95,
        ge=0.5,
        le=0.999,
        title="share of requests that must be fast",
        description="a number from 0.5 to 0.999 (the highest goal of an SLO), such as 0.95",
    )
