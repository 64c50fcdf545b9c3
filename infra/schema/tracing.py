"""`blueprint:tracing`: which door spans leave by, and how many traces are kept."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from infra.schema.model import Model

Exporter = Literal["gcp_otlp", "gcp_trace", "otlp", "console", "none"]


class TracingConfig(Model):
    """Tracing of every service in the stack; one ratio for all, so that they keep the same traces."""

    exporter: Exporter = Field(
        default="gcp_otlp",
        title="`OTEL_TRACES_EXPORTER` of every service",
        description="one of gcp_otlp, gcp_trace, otlp, console, none",
    )
    sample_ratio: float = Field(
        default=1.0,
        ge=0,
        le=1,
        title="share of traces kept, decided by trace id",
        description="a number from 0 to 1",
    )

    @property
    def reaches_google(self) -> bool:
        """Whether spans go to Cloud Trace, so that the services need its role."""
        return self.exporter in ("gcp_otlp", "gcp_trace")
