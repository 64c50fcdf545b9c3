"""The objectives of a stack: Monitoring services, their SLOs, and the alerts on burning budgets (`infra/objectives/`)."""

from __future__ import annotations

import pulumi
from pulumi_gcp import monitoring

from infra.components.channels import Channels
from infra.objectives.burn import alerting
from infra.objectives.objective import objectives, promising
from infra.objectives.policy import policy, title
from infra.objectives.slo import monitored, slo
from infra.stack import Stack


class Objectives(pulumi.ComponentResource):
    """`names` maps each alert's title to its policy's resource name, `slos` each service to its SLOs' names by kind."""

    def __init__(self, stack: Stack, channels: Channels, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("blueprint:index:Objectives", stack.named("objectives"), {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        services = {
            name: monitoring.GenericService(
                stack.named(f"{name}-objectives"),
                **monitored(stack, name),
                # What it watches cannot change, and its successor has the same id.
                opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
            )
            for name in promising(stack)
        }
        self.slos: dict[str, dict[str, pulumi.Output[str]]] = {name: {} for name in services}
        self.names: dict[str, pulumi.Output[str]] = {}
        for each in objectives(stack):
            name = f"{each.service}-{each.kind}"
            self.slos[each.service][each.kind] = monitoring.Slo(
                stack.named(name),
                **slo(stack, each),
                service=services[each.service].service_id,
                opts=child,
            ).id
            for burn in alerting(stack, each):
                self.names[title(stack, each, burn)] = monitoring.AlertPolicy(
                    stack.named(f"{name}-{burn.key}"), **policy(stack, each, burn, channels.ids), opts=child
                ).name
        self.register_outputs({"names": self.names, "slos": self.slos})
