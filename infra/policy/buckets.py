"""Rules: buckets are near their services, shut to the public, and not emptied by accident."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from infra.policy.cloudrun import workloads
from infra.policy.declared import UNKNOWN, Declared
from infra.policy.exceptions import is_reasoned
from infra.policy.finding import Finding, Undecided, Violation, expect, is_true
from infra.schema.tiers import is_production

BUCKET = "gcp:storage/bucket:Bucket"
REASON = "cross-region"
"""The label with which a bucket is excepted."""


def bucket_location(resources: Sequence[Declared], env: str) -> Iterator[Finding]:
    """A bucket is in a region of the stack's services, jobs or worker pools, unless a reason is given."""
    regions = {service.at("location") for service in workloads(resources)}
    for bucket in resources:
        if bucket.type != BUCKET or is_reasoned(bucket, REASON) or not regions:
            continue
        location = bucket.at("location")
        # The API reports buckets' locations in capitals, those of services in small letters.
        if isinstance(location, str) and location.lower() in regions:
            continue
        if location is UNKNOWN or UNKNOWN in regions:
            yield Undecided(bucket, "location")
        else:
            must = f"{' or '.join(sorted(map(str, regions)))}, where its services are"
            remedy = f"move it, or say why with cross_region_reason (label {REASON}: reasoned)"
            yield Violation(bucket, "location", location, must, remedy)


def bucket_access(resource: Declared, env: str) -> Iterator[Finding]:
    """A bucket has uniform bucket-level access, and public access is prevented."""
    if resource.type == BUCKET:
        yield from expect(
            resource,
            "uniformBucketLevelAccess",
            is_true,
            "true",
            "set it, so that no object has an access list",
        )
        yield from expect(
            resource,
            "publicAccessPrevention",
            _is_enforced,
            '"enforced"',
            "set it, as inherited may mean nothing",
        )


def _is_enforced(value: Any) -> bool:
    return bool(value == "enforced")


def bucket_deletion(resource: Declared, env: str) -> Iterator[Finding]:
    """In production, destroying or replacing a bucket never deletes its objects."""
    if resource.type == BUCKET and is_production(env):
        yield from expect(resource, "forceDestroy", _is_off, "false", "remove force_destroy")


def _is_off(value: Any) -> bool:
    return value in (None, False)
