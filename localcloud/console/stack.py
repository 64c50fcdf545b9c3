"""What is deployed, and who may do what. Only inputs named here are shown, so no secret can be among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from localcloud.resources import Resource

_SHOWN = (
    "location", "serviceAccount", "role", "member", "service", "format", "severity", "displayName", "storageClass",
    "accountId", "repositoryId", "secretId", "ingress", "deletionProtection", "forceDestroy", "serviceId", "goal",
)  # fmt: skip


def stack(resources: Iterable[Resource], bindings: Iterable[tuple[str, str, str]]) -> dict[str, Any]:
    """Resources in the order of their types, and each grant that Identity holds."""
    ordered = sorted(resources, key=lambda each: (each.type, each.name))
    return {
        "resources": [{"type": each.type, "name": each.name, "inputs": _inputs(each)} for each in ordered],
        "grants": [{"on": scope, "role": role, "who": member} for scope, role, member in bindings],
    }


def _inputs(resource: Resource) -> dict[str, str]:
    shown = {key: _text(resource.inputs[key]) for key in _SHOWN if key in resource.inputs}
    template = resource.inputs.get("template")
    return shown | (_revision(template) if isinstance(template, Mapping) else {})


def _revision(template: Mapping[str, Any]) -> dict[str, str]:
    """The settings of a Cloud Run revision; of its variables the names alone."""
    container = (template.get("containers") or [{}])[0]
    limits = (container.get("resources") or {}).get("limits") or {}
    scaling = template.get("scaling") or {}
    found = {
        "image": container.get("image"),
        "cpu": limits.get("cpu"),
        "memory": limits.get("memory"),
        "instances": f"{scaling.get('minInstanceCount', 0)} to {scaling.get('maxInstanceCount', '?')}",
        "concurrency": template.get("maxInstanceRequestConcurrency"),
        "timeout": template.get("timeout"),
        "serviceAccount": template.get("serviceAccount"),
        "variables": ", ".join(str(each.get("name")) for each in container.get("envs") or ()),
    }
    return {key: _text(value) for key, value in found.items() if value}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
