"""`blueprint:costs`: what the declared traffic may cost, and the sizes that the estimate is made of."""

from __future__ import annotations

from pydantic import Field

from infra.schema.model import Model


class CostsConfig(Model):
    """The estimate counts what each service declares as `expected_rps`."""

    tracing_usd: float | None = Field(
        default=None,
        ge=0,
        le=1e9,
        title="budget of spans, USD a month; a stack that is estimated above it is refused",
        description="a number of USD from 0 to 1000000000, or absent for no budget",
    )
    logging_usd: float | None = Field(
        default=None,
        ge=0,
        le=1e9,
        title="budget of log ingestion, USD a month; a stack that is estimated above it is refused",
        description="a number of USD from 0 to 1000000000, or absent for no budget",
    )
    spans_per_request: float | None = Field(
        default=None,
        gt=0,
        le=10_000,
        title="spans that one request from outside makes in all services together",
        description="a number above 0, or absent to count them along `calls` and `buckets`",
    )
    kept_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        title="share of requests that fail or are slow, so that they are kept beyond `tracing.sample_ratio`",
        description="a number from 0 to 1",
    )
    log_bytes_per_request: int = Field(
        default=2000,
        ge=0,
        le=1_000_000,
        title="bytes of log that one request leaves in one service, its request log included",
        description="whole bytes from 0 to 1000000",
    )
    request_ms: int = Field(
        default=100,
        ge=1,
        le=3_600_000,
        title="time for which one request occupies an instance",
        description="whole milliseconds from 1 to 3600000",
    )
    free_tier: bool = Field(
        default=True,
        title="whether the free tier of the billing account is there for this stack",
        description="true or false",
    )
