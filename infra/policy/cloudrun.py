"""Where things stand in a Cloud Run service, for the rules that look there. No rule itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.policy.declared import UNKNOWN, Declared

SERVICE = "gcp:cloudrunv2/service:Service"
ACCOUNT = "template.serviceAccount"


def services(resources: Sequence[Declared]) -> list[Declared]:
    """The Cloud Run services among them."""
    return [resource for resource in resources if resource.type == SERVICE]


def containers(service: Declared) -> list[str]:
    """The path of each container. There is always one: where none can be seen, rules find it missing or not known."""
    found = service.at("template.containers")
    count = len(found) if isinstance(found, list) else 0
    return [f"template.containers.{index}" for index in range(max(count, 1))]


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
