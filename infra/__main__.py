"""The stack as a table of contents. Pulumi runs this file by its path, with infra/ as working directory."""

from __future__ import annotations

import pulumi

from infra import links, stack
from infra.components.alerts import Alerts
from infra.components.apis import Apis
from infra.components.bucket import Bucket
from infra.components.channels import Channels
from infra.components.registry import Registry
from infra.components.service import Service
from infra.filters import services as all_services


def declare() -> None:
    """Declares every resource of the stack and exports what people and tools ask for."""
    this = stack.read()
    enabled = pulumi.ResourceOptions(depends_on=[Apis(this)])

    registry = Registry(this, enabled)
    buckets = {name: Bucket(this, name, enabled) for name in sorted(this.buckets)}
    services: dict[str, Service] = {}
    for name in this.callees_first():
        services[name] = Service(this, name, services, buckets, enabled)
    alerts = Alerts(this, Channels(this, enabled), enabled)

    pulumi.export("project", this.project)
    pulumi.export("region", this.region)
    pulumi.export("registry", registry.address)
    pulumi.export("services", {name: {"name": each.name, "url": each.url} for name, each in services.items()})
    pulumi.export("urls", {name: each.url for name, each in services.items()})
    pulumi.export("buckets", {name: each.name for name, each in buckets.items()})
    pulumi.export("alerts", alerts.names)
    pulumi.export(
        "links",
        {
            "traces": links.traces(this.project),
            "logs": links.logs(this.project, all_services(this)),
            "services": links.services(this.project),
            "alerts": links.alerts(this.project),
        },
    )


if __name__ == "__main__":
    declare()
