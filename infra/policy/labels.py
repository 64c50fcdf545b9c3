"""Rule: bills, logs and searches tell environments and services apart."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from operator import eq

from infra.policy.buckets import BUCKET
from infra.policy.cloudrun import JOB, SERVICE, WORKER_POOL
from infra.policy.declared import Declared
from infra.policy.finding import Finding, expect, is_text

LABELLED = {
    SERVICE: "labels",
    JOB: "labels",
    WORKER_POOL: "labels",
    BUCKET: "labels",
    "gcp:artifactregistry/repository:Repository": "labels",
    "gcp:monitoring/alertPolicy:AlertPolicy": "userLabels",
    "gcp:monitoring/genericService:GenericService": "userLabels",
    "gcp:monitoring/notificationChannel:NotificationChannel": "userLabels",
    "gcp:monitoring/slo:Slo": "userLabels",
}
"""Where each type keeps the labels that are people's own."""


def labels(resource: Declared, env: str) -> Iterator[Finding]:
    """Cloud Run's services, jobs and worker pools, buckets, registries, alert policies, channels, SLOs and what they are of have the labels environment and managed-by, Cloud Run services also service."""
    key = LABELLED.get(resource.type)
    if key is None:
        return
    for label, value in {"environment": env, "managed-by": "pulumi"}.items():
        yield from expect(resource, f"{key}.{label}", partial(eq, value), f'"{value}"', "set it")
    if resource.type == SERVICE:
        yield from expect(resource, f"{key}.service", is_text, "the service's name", "set it")
