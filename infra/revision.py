"""What a Cloud Run revision of a service is made of, as a pure function; no resource is declared here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi

from infra.environment import environment
from infra.mounts import variables, volume_mounts, volumes
from infra.stated import stated

if TYPE_CHECKING:
    from infra.schema.service import ServiceConfig
    from infra.schema.vpc import VpcConfig
    from infra.stack import Stack

_HEALTH = {"path": "/healthz"}
_EGRESS = {"private-ranges-only": "PRIVATE_RANGES_ONLY", "all-traffic": "ALL_TRAFFIC"}


def template(
    stack: Stack,
    name: str,
    account: pulumi.Input[str],
    service_urls: pulumi.Input[str],
    built: pulumi.Input[str] | None = None,
) -> dict[str, Any]:
    """The revision template of a service that runs as `account` (its e-mail); `built` is its image if it names none."""
    service = stack.services[name]
    return {
        **options(stack, name),
        "service_account": account,
        "timeout": f"{service.timeout}s",
        "max_instance_request_concurrency": service.requests_at_once,
        "scaling": {"min_instance_count": service.min_instances, "max_instance_count": service.max_instances},
        "labels": stack.service_labels(name),
        "containers": [
            {
                "name": "app",
                "image": service.image or built or "local",
                "resources": resources(service),
                "startup_probe": startup_probe(),
                "liveness_probe": liveness_probe(),
                "envs": envs(stack, name, service_urls),
                **stated(volume_mounts=volume_mounts(stack, name)),
            }
        ],
    }


def options(stack: Stack, name: str) -> dict[str, Any]:
    """What a template has only where the stack asks for it."""
    return stated(
        encryption_key=stack.encryption_key,
        volumes=volumes(stack, name),
        vpc_access=vpc_access(stack.services[name].vpc),
    )


def envs(stack: Stack, name: str, service_urls: pulumi.Input[str]) -> list[dict[str, Any]]:
    """All variables, plain and secret, sorted by name."""
    plain = [{"name": key, "value": value} for key, value in environment(stack, name, service_urls).items()]
    return sorted([*plain, *variables(stack, name)], key=lambda variable: str(variable["name"]))


def vpc_access(vpc: VpcConfig | None) -> dict[str, Any]:
    """Direct VPC egress: an interface in the network, without a connector."""
    if vpc is None:
        return {}
    interface = stated(network=vpc.network, subnetwork=vpc.subnetwork, tags=list(vpc.tags))
    return {"network_interfaces": [interface], "egress": _EGRESS[vpc.egress]}


def traffic(service: ServiceConfig) -> list[dict[str, Any]]:
    """The shares of traffic. Without any it is said that the latest revision has all: left out, the provider keeps the last split.

    Source: `traffic` is optional *and computed* in terraform-provider-google, cloud_run_v2_service.
    """
    if not service.traffic:
        return [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}]
    return [
        {
            "type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
            if share.revision == "latest"
            else "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION",
            "percent": share.percent,
            **stated(revision="" if share.revision == "latest" else share.revision, tag=share.tag),
        }
        for share in service.traffic
    ]


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
