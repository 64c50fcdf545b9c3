"""What stands whether or not a request comes: the alert policies that were declared, and buckets in the stack's region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ops.checks import Check
from ops.deployment import Bucket, Deployment
from ops.errors import OperatorError
from traces.regions import is_elsewhere


class Reader(Protocol):
    """What is needed of `Google`."""

    def alert_policies(self) -> set[str]: ...
    def bucket_location(self, name: str) -> str | None: ...


def alert_policies(google: Reader, deployment: Deployment) -> Check:
    """Whether each policy of the stack's outputs is still there."""
    try:
        there = google.alert_policies()
    except OperatorError as error:
        return Check("alert policies", False, str(error), "verify again with that right")
    gone = [title for title, name in deployment.alerts.items() if name not in there]
    if gone:
        return Check(
            "alert policies",
            False,
            f"{len(gone)} of {len(deployment.alerts)} are gone: {', '.join(gone)}.",
            f"put them back: {deployment.redeploy}",
        )
    return Check("alert policies", True, f"all {len(deployment.alerts)} are there")


def locations_of(google: Reader, deployment: Deployment) -> dict[str, str | None]:
    """Where the stack's buckets are, by their global names; None where that cannot be read."""
    return {each.name: google.bucket_location(each.name) for each in deployment.buckets.values()}


def bucket_locations(deployment: Deployment, locations: Mapping[str, str | None]) -> Check:
    """Whether each bucket is in the services' region, or says why not."""
    for name, bucket in deployment.buckets.items():
        location = locations[bucket.name]
        if location is None:
            return Check(
                "bucket locations",
                False,
                f"Where bucket {bucket.name} is cannot be read: it is gone, or you may not.",
                f"see that it is there: gcloud storage buckets describe gs://{bucket.name}; you need storage.buckets.get on it",
            )
        if is_elsewhere(location, deployment.region) and not bucket.reason:
            return _abroad(deployment, name, bucket, location)
    told = ", ".join(_where(name, each, locations[each.name]) for name, each in deployment.buckets.items())
    return Check("bucket locations", True, told or "the stack has none")


def _where(name: str, bucket: Bucket, location: str | None) -> str:
    return f"{name} in {location}" + (f" ({bucket.reason})" if bucket.reason else "")


def _abroad(deployment: Deployment, name: str, bucket: Bucket, location: str) -> Check:
    return Check(
        "bucket locations",
        False,
        f"Bucket {bucket.name} is in {location}, its services are in {deployment.region}: every access crosses regions.",
        f"take buckets.{name}.location out of {deployment.file}, then {deployment.redeploy} (an existing bucket is "
        f"replaced: move its objects first); or say why by buckets.{name}.cross_region_reason",
    )
