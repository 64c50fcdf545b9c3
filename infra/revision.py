"""What a Cloud Run revision of a service is made of, as a pure function; no resource is declared here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi

from infra.environment import environment

if TYPE_CHECKING:
    from infra.schema.service import ServiceConfig
    from infra.stack import Stack

_HEALTH = {"path": "/healthz"}


def template(
    stack: Stack, name: str, account: pulumi.Input[str], service_urls: pulumi.Input[str]
) -> dict[str, Any]:
    """The revision template of a service that runs as `account` (its e-mail)."""
    service = stack.services[name]
    return {
        "service_account": account,
        "timeout": f"{service.timeout}s",
        "max_instance_request_concurrency": service.requests_at_once,
        "scaling": {"min_instance_count": service.min_instances, "max_instance_count": service.max_instances},
        "labels": stack.all_labels(service=name),
        "containers": [
            {
                "name": "app",
                "image": service.image or "local",
                "resources": resources(service),
                "startup_probe": startup_probe(),
                "liveness_probe": liveness_probe(),
                "envs": [
                    {"name": key, "value": value}
                    for key, value in environment(stack, name, service_urls).items()
                ],
            }
        ],
    }


def resources(service: ServiceConfig) -> dict[str, Any]:
    """CPU and memory. `cpu_idle` must be said: once `resources` is set, leaving it out buys instance-based billing.

    Source: terraform-provider-google, cloud_run_v2_service, `resources.cpu_idle`.
    """
    return {
        "limits": {"cpu": f"{service.cpu:g}", "memory": service.memory},
        "cpu_idle": service.billing == "request",
        "startup_cpu_boost": True,
    }


def startup_probe() -> dict[str, Any]:
    """Asked every second for a minute: with the default period of 10 s a cold start would take 10 s or more."""
    return {"http_get": _HEALTH, "period_seconds": 1, "timeout_seconds": 1, "failure_threshold": 60}


def liveness_probe() -> dict[str, Any]:
    """Ends an instance that has not answered for half a minute; one slow answer under load is forgiven."""
    return {"http_get": _HEALTH, "period_seconds": 10, "timeout_seconds": 5, "failure_threshold": 3}
