"""Rules: what an instance of a Cloud Run service needs to be started, watched, limited and billed as intended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from infra.policy.cloudrun import SERVICE, containers, ingress
from infra.policy.declared import UNKNOWN, Declared
from infra.policy.finding import Finding, Undecided, expect, judge


def probes(resource: Declared, env: str) -> Iterator[Finding]:
    """The container of a Cloud Run service that takes its requests has a startup probe and a liveness probe."""
    if resource.type != SERVICE:
        return
    for probe in ("startupProbe", "livenessProbe"):
        path = f"{ingress(resource)}.{probe}"
        yield from expect(resource, path, bool, "a probe", "add one that asks /healthz")


def max_instances(resource: Declared, env: str) -> Iterator[Finding]:
    """A Cloud Run service says how many instances it has at most."""
    if resource.type != SERVICE:
        return
    # Either is a limit: per revision, or over all revisions of the service. With MANUAL there are just so many.
    revision, service, manual = (
        "template.scaling.maxInstanceCount",
        "scaling.maxInstanceCount",
        "scaling.manualInstanceCount",
    )
    mode = resource.at("scaling.scalingMode")
    if mode == "MANUAL":
        must, remedy = "a whole number with scalingMode MANUAL", f"set {manual}"
        yield from expect(resource, manual, _is_number, must, remedy)
        return
    value = resource.at(revision)
    value = resource.at(service) if value is None else value
    if mode is UNKNOWN and not _is_count(value):
        yield Undecided(resource, "scaling.scalingMode")
    else:
        yield from judge(resource, revision, value, _is_count, "a whole number from 1", "set max_instances")


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 1


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


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
