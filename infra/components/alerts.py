"""The alert policies of a stack; what they look for is in `infra/alerting/`."""

from __future__ import annotations

import pulumi
from pulumi_gcp import monitoring

from infra.alerting.policy import policy, title
from infra.alerting.rules import rules
from infra.components.channels import Channels
from infra.stack import Stack


class Alerts(pulumi.ComponentResource):
    """One policy per rule; `names` maps each title to the policy's resource name."""

    def __init__(self, stack: Stack, channels: Channels, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("blueprint:index:Alerts", stack.named("alerts"), {}, opts)
        self.names = {
            title(stack, rule): monitoring.AlertPolicy(
                stack.named(rule.key),
                **policy(stack, rule, channels.ids),
                opts=pulumi.ResourceOptions(parent=self),
            ).name
            for rule in rules(stack)
        }
        self.register_outputs({"names": self.names})
