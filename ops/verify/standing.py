"""What stands whether or not a request comes: the alert policies that were declared, and buckets in the stack's region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ops.checks import Check
from ops.deployment import Bucket, Deployment
from ops.errors import OperatorError
from ops.google import Missing
from ops.verify.patience import patiently, unread
from traces.regions import is_elsewhere


class Reader(Protocol):
    """What is needed of `Google`."""

    def alert_policies(self) -> set[str]: ...
    def location(self, bucket: str) -> str: ...


def alert_policies(google: Reader, deployment: Deployment, timeout: float) -> Check:
    """Whether each policy of the stack's outputs is still there; read again for `timeout` seconds where that may help."""
    try:
        there = patiently(google.alert_policies, timeout)
    except OperatorError as error:
        return unread("alert policies", error)
    gone = [title for title, name in deployment.alerts.items() if name not in there]
    if gone:
        return Check(
            "alert policies",
            False,
            f"{len(gone)} of {len(deployment.alerts)} are gone: {', '.join(gone)}.",
            f"put them back: {deployment.redeploy}",
        )
    return Check("alert policies", True, f"all {len(deployment.alerts)} are there")


def locations_of(google: Reader, deployment: Deployment, timeout: float) -> dict[str, str | OperatorError]:
    """Where the stack's buckets are, by their global names, or why that cannot be read; read again for `timeout` seconds
    where that may help."""
    return {each.name: _location(google, each.name, timeout) for each in deployment.buckets.values()}


def _location(google: Reader, bucket: str, timeout: float) -> str | OperatorError:
    try:
        return patiently(lambda: google.location(bucket), timeout)
    except OperatorError as error:
        return error


def bucket_locations(deployment: Deployment, locations: Mapping[str, str | OperatorError]) -> Check:
    """Whether each bucket is in the services' region, or says why not."""
    for name, bucket in deployment.buckets.items():
        location = locations[bucket.name]
        if isinstance(location, Missing):
            return Check(
                "bucket locations",
                False,
                f"Bucket {bucket.name} is gone.",
                f"put it back: {deployment.redeploy}",
            )
        if isinstance(location, OperatorError):
            return unread("bucket locations", location)
        if is_elsewhere(location, deployment.region) and not bucket.reason:
            return _abroad(deployment, name, bucket, location)
    told = ", ".join(
        _where(name, each, str(locations[each.name])) for name, each in deployment.buckets.items()
    )
    return Check("bucket locations", True, told or "the stack has none")


def _where(name: str, bucket: Bucket, location: str) -> str:
    return f"{name} in {location}" + (f" ({bucket.reason})" if bucket.reason else "")


def _abroad(deployment: Deployment, name: str, bucket: Bucket, location: str) -> Check:
    return Check(
        "bucket locations",
        False,
        f"Bucket {bucket.name} is in {location}, its services are in {deployment.region}: every access crosses regions.",
        f"take buckets.{name}.location out of {deployment.file}, then {deployment.redeploy} (an existing bucket is "
        f"replaced: move its objects first); or say why by buckets.{name}.cross_region_reason",
    )
