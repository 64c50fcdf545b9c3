"""The dashboard of a stack; what is on it is in `infra/dashboard/`."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
from pulumi_gcp import monitoring

from infra import links
from infra.components.objectives import Objectives
from infra.dashboard import dashboard
from infra.stack import Stack


class Dashboard(pulumi.ComponentResource):
    """One for the stack. `alerts` are further policies whose incidents it lists, by title; `address` is its page."""

    def __init__(
        self,
        stack: Stack,
        objectives: Objectives,
        alerts: Mapping[str, pulumi.Output[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("blueprint:index:Dashboard", stack.named("dashboard"), {}, opts)
        names = pulumi.Output.from_input({**alerts, **objectives.names})
        slos = pulumi.Output.from_input(objectives.slos)
        json = pulumi.Output.all(names, slos).apply(lambda known: dashboard(stack, *known))
        self.address = monitoring.Dashboard(
            stack.named("dashboard"),
            dashboard_json=json,
            project=stack.project,
            opts=pulumi.ResourceOptions(parent=self),
        ).id.apply(lambda name: links.dashboard(stack.project, name))
        self.register_outputs({"address": self.address})
