"""The alert on a bucket that is not where it is declared, so that each access crosses regions unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra import filters, promql
from infra.alerting.rule import Rule

if TYPE_CHECKING:
    from infra.stack import Stack

WINDOW = "15m"


def rules(stack: Stack) -> Iterator[Rule]:
    """One rule, if there are buckets. A location with a `cross_region_reason` is where that bucket is meant to be."""
    places: dict[str, list[str]] = {}
    for name, bucket in sorted(stack.buckets.items()):
        places.setdefault((bucket.location or stack.region).lower(), []).append(stack.bucket_name(name))
    if places:
        yield Rule(
            "bucket-region",
            "Bucket served from another region",
            "WARNING",
            filters.services(stack),
            "uses a bucket that is not in the location that its stack file gives: each access crosses regions",
            query="\nor\n".join(_elsewhere(stack, place, names) for place, names in sorted(places.items())),
            all_traces=True,
        )


def _elsewhere(stack: Stack, place: str, names: list[str]) -> str:
    """Requests to these buckets at another location, which is a label of the monitored resource `gcs_bucket`.

    No metric has the pair of regions of an access. Inferred: the letter case of the label, hence the `(?i)`.
    """
    requests = promql.selector(
        "storage_googleapis_com:api_request_count",
        "gcs_bucket",
        stack,
        f'bucket_name=~"{"|".join(names)}"',
        f'location!~"(?i){place}"',
    )
    return f"sum by (bucket_name, location) (increase({requests}[{WINDOW}])) > 0"
