"""The log-based metrics that alerts, objectives and the dashboard read; what they count is in `infra/metrics.py`."""

from __future__ import annotations

import pulumi
from pulumi_gcp import logging

from infra import metrics
from infra.stack import Stack


class Metrics(pulumi.ComponentResource):
    """A counter of requests and a distribution of their latencies, both from the request log."""

    def __init__(self, stack: Stack, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("blueprint:index:Metrics", stack.named("metrics"), {}, opts)
        for arguments in (metrics.counter(stack), metrics.distribution(stack)):
            logging.Metric(arguments["name"], **arguments, opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({})
