"""Every price that the estimate is made of: USD for a unit, what is free of it each month, and who says so.

List prices of 2026-11, before any discount for commitment or volume. Where a page was legible in stored copies only, the
source says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

DAYS = 30
MONTH_S = DAYS * 24 * 3600

_OBSERVABILITY = "cloud.google.com/stackdriver/pricing, stored copies up to 2025"
_RUN = "cloud.google.com/run/pricing, stored copies"
_STORAGE = "cloud.google.com/storage/pricing, stored copies"


@dataclass(frozen=True)
class Price:
    """`usd` for one `unit`, beyond the first `free` units of a month."""

    usd: float
    unit: str
    free: float
    source: str


# Free for each billing account; spans of Cloud Run itself cost nothing (cloud.google.com/run/docs/trace).
SPANS = Price(0.20, "million spans", 2.5, _OBSERVABILITY)
# Free for each project; 30 days of keeping included.
LOGS = Price(0.50, "GiB", 50, _OBSERVABILITY)

# Billed by request. Free for each billing account.
SERVING_CPU = Price(0.000024, "vCPU-seconds", 180_000, _RUN)
SERVING_MEMORY = Price(0.0000025, "GiB-seconds", 360_000, _RUN)
REQUESTS = Price(0.40, "million requests", 2, _RUN)
# Instances that `min_instances` keeps while they serve nothing. Whether the free seconds count for them is not said.
WARM_CPU = Price(0.0000025, "vCPU-seconds", 0, _RUN)
WARM_MEMORY = Price(0.0000025, "GiB-seconds", 0, _RUN)
# Billed by instance, requests included.
ALWAYS_CPU = Price(0.000018, "vCPU-seconds", 240_000, _RUN)
ALWAYS_MEMORY = Price(0.000002, "GiB-seconds", 450_000, _RUN)

# Standard storage. What is free of it is so in three regions of the US only, and worth 0.05 USD.
UPLOADS = Price(0.005, "thousand operations", 0, f"{_STORAGE} (class A, region)")
UPLOADS_MULTI_REGION = Price(0.01, "thousand operations", 0, f"{_STORAGE} (class A, multi- and dual-region)")
LOOKUPS = Price(0.0004, "thousand operations", 0, f"{_STORAGE} (class B)")

# cloud.google.com/run/docs/locations. A region that is not here is taken for one of tier 2.
TIER_1 = frozenset(
    {
        "asia-east1", "asia-northeast1", "asia-northeast2", "europe-north1", "europe-southwest1", "europe-west1",
        "europe-west4", "europe-west8", "europe-west9", "me-west1", "us-central1", "us-east1", "us-east4", "us-east5",
        "us-south1", "us-west1",
    }
)  # fmt: skip
# Read for serving CPU (0.0000336) and memory (0.0000035); taken to hold for the other two ways of billing.
_TIER_2 = 1.4


def in_region(price: Price, region: str) -> Price:
    """Cloud Run's price for CPU or memory in `region`. What is free is a discount at tier 1 prices, so less time elsewhere."""
    if region in TIER_1:
        return price
    return replace(price, usd=price.usd * _TIER_2, free=price.free / _TIER_2)


def uploads(location: str) -> Price:
    """Writing to a bucket in `location`: a region, which has a hyphen in its name, or more than one (EU, NAM4)."""
    return UPLOADS if "-" in location else UPLOADS_MULTI_REGION
