"""The stack as a table of contents. Pulumi runs this file by its path, with infra/ as working directory."""

from __future__ import annotations

import pulumi

from infra import links, stack
from infra.components.alerts import Alerts
from infra.components.apis import Apis
from infra.components.bucket import Bucket
from infra.components.channels import Channels
from infra.components.dashboard import Dashboard
from infra.components.deployer import Deployer
from infra.components.encryption import Encryption
from infra.components.image import Image, sources
from infra.components.metrics import Metrics
from infra.components.objectives import Objectives
from infra.components.registry import Registry
from infra.components.service import Service
from infra.costs.estimate import estimate, export
from infra.costs.report import report
from infra.filters import services as all_services


def declare() -> None:
    """Declares every resource of the stack and exports what people and tools ask for."""
    this = stack.read()
    expected = estimate(this)
    pulumi.log.info(report(expected))
    enabled = pulumi.ResourceOptions(depends_on=[Apis(this)])

    encrypted = after(enabled, *([Encryption(this, enabled)] if this.encryption_key else []))
    registry = Registry(this, encrypted)
    built = {source: Image(this, registry, encrypted, source).digest_reference for source in sources(this)}
    images = {name: built.get(each.source) for name, each in this.services.items()}
    buckets = {name: Bucket(this, name, encrypted) for name in sorted(this.buckets)}
    services: dict[str, Service] = {}
    for name in this.callees_first():
        services[name] = Service(this, name, services, buckets, encrypted, images[name])

    watched = after(enabled, Metrics(this, enabled), *services.values())
    channels = Channels(this, enabled)
    objectives = Objectives(this, channels, watched)
    alerts = Alerts(this, channels, watched)
    dashboard = Dashboard(this, objectives, alerts.names, watched)
    if this.ci:
        accounts = {name: each.account for name, each in services.items()}
        deployer = Deployer(this, this.ci, registry, accounts, enabled)
        pulumi.export(
            "ci",
            {"provider": deployer.provider, "account": deployer.account, "previewer": deployer.previewer},
        )

    pulumi.export("project", this.project)
    pulumi.export("region", this.region)
    pulumi.export("registry", registry.address)
    pulumi.export(
        "services",
        {
            name: {"name": each.name, "url": each.url, "image": this.services[name].image or images[name]}
            for name, each in services.items()
        },
    )
    pulumi.export("urls", {name: each.url for name, each in services.items()})
    pulumi.export("buckets", {name: each.name for name, each in buckets.items()})
    pulumi.export("alerts", {**alerts.names, **objectives.names})
    pulumi.export("estimate", export(expected))
    pulumi.export(
        "links",
        {
            "traces": links.traces(this.project, services=this.services),
            "logs": links.logs(this.project, all_services(this)),
            "services": links.services(this.project),
            "alerts": links.alerts(this.project),
            "dashboard": dashboard.address,
        },
    )


def after(opts: pulumi.ResourceOptions, *resources: pulumi.Resource) -> pulumi.ResourceOptions:
    """`opts`, with more that has to exist before."""
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(resources)))


if __name__ == "__main__":
    declare()
