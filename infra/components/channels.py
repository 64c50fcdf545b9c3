"""Who is told when an alert fires: one notification channel per address in `blueprint:notify`."""

from __future__ import annotations

import pulumi
from pulumi_gcp import monitoring

from infra.stack import Stack


class Channels(pulumi.ComponentResource):
    """E-mail channels; `ids` are what an alert policy refers to."""

    def __init__(self, stack: Stack, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("blueprint:index:Channels", stack.named("notify"), {}, opts)
        self.ids = [
            monitoring.NotificationChannel(
                stack.named(address),
                type="email",
                display_name=f"{address} · {stack.env}",
                project=stack.project,
                labels={"email_address": address},
                user_labels=stack.all_labels(),
                opts=pulumi.ResourceOptions(parent=self),
            ).id
            for address in dict.fromkeys(stack.notify.emails)
        ]
        self.register_outputs({})
