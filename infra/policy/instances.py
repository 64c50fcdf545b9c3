"""Rules: what an instance of a Cloud Run service needs to be started, watched, limited and billed as intended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from infra.policy.cloudrun import SERVICE, containers
from infra.policy.declared import Declared
from infra.policy.finding import Finding, expect, judge


def probes(resource: Declared, env: str) -> Iterator[Finding]:
    """Each container of a Cloud Run service has a startup probe and a liveness probe."""
    if resource.type != SERVICE:
        return
    for container in containers(resource):
        for probe in ("startupProbe", "livenessProbe"):
            yield from expect(resource, f"{container}.{probe}", bool, "a probe", "add one that asks /healthz")


def max_instances(resource: Declared, env: str) -> Iterator[Finding]:
    """A Cloud Run service says how many instances it has at most."""
    if resource.type != SERVICE:
        return
    # Either is a limit: per revision, or over all revisions of the service.
    revision, service = "template.scaling.maxInstanceCount", "scaling.maxInstanceCount"
    value = resource.at(revision)
    value = resource.at(service) if value is None else value
    yield from judge(resource, revision, value, _is_count, "a whole number from 1", "set max_instances")


def _is_count(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 1


def cpu_billing(resource: Declared, env: str) -> Iterator[Finding]:
    """Each container of a Cloud Run service says whether its CPU is idle, and not billed, between requests.

    Left out beside `limits` it means instance-based billing (terraform-provider-google, cloud_run_v2_service).
    """
    if resource.type == SERVICE:
        for container in containers(resource):
            path = f"{container}.resources.cpuIdle"
            yield from expect(resource, path, _is_said, "true or false", "set billing to request or instance")


def _is_said(value: Any) -> bool:
    return isinstance(value, bool)
