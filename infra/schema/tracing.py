"""`blueprint:tracing`: which door spans leave by, and how many traces are kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from infra.schema.model import Model

Exporter = Literal["gcp_otlp", "gcp_trace", "otlp", "console", "none"]

_LEAST = 1e-9


def _not_negligible(ratio: float) -> float:
    """Below this no trace is ever kept, and what is divided by it overflows; 0 says the same."""
    if 0 < ratio < _LEAST:
        raise ValueError(f"below {_LEAST}")
    return ratio


class TracingConfig(Model):
    """Tracing of every service in the stack; one ratio for all, so that they keep the same traces."""

    exporter: Exporter = Field(
        default="gcp_otlp",
        title="`OTEL_TRACES_EXPORTER` of every service",
        description="one of gcp_otlp, gcp_trace, otlp, console, none",
    )
    sample_ratio: Annotated[float, AfterValidator(_not_negligible)] = Field(
        default=1.0,
        ge=0,
        le=1,
        title="share of traces kept, decided by trace id",
        description="a number from 0 to 1 (0, or 0.000000001 at least)",
    )
    ratio_reason: str | None = Field(
        default=None,
        min_length=10,
        title="why more than 10 % of traces are kept; needed for it in a stack called `prod…`",
        description="a reason in words (10 characters or more), or absent",
    )
    keep_slow_ms: int = Field(
        default=2000,
        ge=1,
        le=3_600_000,
        title="time after which a request is slow: its part of the trace is kept whatever the ratio",
        description="whole milliseconds from 1 to 3600000 (an hour, Cloud Run's longest request: never)",
    )
    keep_per_second: int = Field(
        default=100,
        ge=0,
        le=1000,
        title="parts of traces kept for other reasons than the ratio, at most, per second and instance",
        description="a whole number from 0 (none) to 1000",
    )

    @property
    def reaches_google(self) -> bool:
        """Whether spans go to Cloud Trace, so that the services need its role."""
        return self.exporter in ("gcp_otlp", "gcp_trace")

    @property
    def silence_is_a_fault(self) -> bool:
        """Whether requests without any span in Cloud Trace mean that something is broken."""
        return self.reaches_google and self.sample_ratio > 0
