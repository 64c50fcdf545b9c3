"""Where things stand in what Cloud Run runs, for the rules that look there. No rule itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.policy.declared import UNKNOWN, Declared

SERVICE = "gcp:cloudrunv2/service:Service"
JOB = "gcp:cloudrunv2/job:Job"
WORKER_POOL = "gcp:cloudrunv2/workerPool:WorkerPool"
TEMPLATES = {SERVICE: "template", JOB: "template.template", WORKER_POOL: "template"}
"""Where each workload says what its instances are: a job's template is one of executions, which have one of tasks."""


def services(resources: Sequence[Declared]) -> list[Declared]:
    """The Cloud Run services among them."""
    return [resource for resource in resources if resource.type == SERVICE]


def workloads(resources: Sequence[Declared]) -> list[Declared]:
    """The Cloud Run services, jobs and worker pools among them."""
    return [resource for resource in resources if resource.type in TEMPLATES]


def account_path(workload: Declared) -> str:
    """Where it says what account it runs as."""
    return f"{TEMPLATES[workload.type]}.serviceAccount"


def account(workload: Declared) -> Any:
    """The address of its account, which may also be written `projects/P/serviceAccounts/ADDRESS`; UNKNOWN, or None."""
    value = workload.at(account_path(workload))
    return value.rpartition("/")[2].lower() if isinstance(value, str) else value


def containers(workload: Declared) -> list[str]:
    """The path of each container. There is always one: where none can be seen, rules find it missing or not known."""
    path = f"{TEMPLATES[workload.type]}.containers"
    found = workload.at(path)
    count = len(found) if isinstance(found, list) else 0
    return [f"{path}.{index}" for index in range(max(count, 1))]


def ingress(service: Declared) -> str:
    """The path of the container that requests go to: the one with a port, else the first. All others are sidecars."""
    found = containers(service)
    return next((path for path in found if service.at(f"{path}.ports")), found[0])


def variables(service: Declared, container: str) -> Mapping[str, Any] | Any:
    """Environment variables by name, the value None if it comes from a secret; UNKNOWN if any name is."""
    entries = service.at(f"{container}.envs") or []
    if entries is UNKNOWN or UNKNOWN in entries or any(entry.get("name") is UNKNOWN for entry in entries):
        return UNKNOWN
    return {entry.get("name"): entry.get("value") for entry in entries}


def variable(service: Declared, name: str) -> Any:
    """The variable's value in the first container that has it: None if it is nowhere, UNKNOWN if that cannot be told."""
    return next(_values(service, name), None)


def _values(service: Declared, name: str) -> Iterator[Any]:
    for container in containers(service):
        found = variables(service, container)
        if found is UNKNOWN:
            yield UNKNOWN
        elif name in found:
            yield found[name]
