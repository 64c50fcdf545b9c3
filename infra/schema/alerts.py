"""`blueprint:alerts`: when somebody is woken up. The defaults suit a service of moderate traffic."""

from __future__ import annotations

from pydantic import Field

from infra.schema.model import Model


class AlertsConfig(Model):
    """Thresholds of the alert policies; those of an objective are in the service's `objectives`."""

    error_ratio: float = Field(
        default=0.05,
        gt=0,
        le=1,
        title="share of requests of a service that may end with 5xx in five minutes",
        description="a number above 0, and at most 1",
    )
    min_requests: int = Field(
        default=20,
        ge=1,
        le=1_000_000,
        title="requests in five minutes below which no ratio or percentile wakes anybody",
        description="a whole number from 1 to 1000000",
    )
    instance_share: float = Field(
        default=0.8,
        gt=0,
        le=1,
        title="share of `max_instances` in use that is near the limit",
        description="a number above 0, and at most 1",
    )
    auto_close_s: int = Field(
        default=1800,
        ge=1800,
        le=604_800,
        title="time without new data after which an incident closes by itself",
        description="whole seconds from 1800 to 604800 (a week)",
    )
    notification_period_s: int = Field(
        default=300,
        ge=300,
        le=172_800,
        title="time between two notifications of one log-match policy",
        description="whole seconds from 300 to 172800 (two days)",
    )
    off: tuple[str, ...] = Field(
        default=(),
        title="alerts that this stack does without, by key",
        description="a list of keys of infra/runbook.md such as instances",
    )
