"""The log-based metrics that alerts, objectives and the dashboard read; their names are in `infra/metrics.py`."""

from __future__ import annotations

import pulumi
from pulumi_gcp import logging

from infra import filters, metrics
from infra.stack import Stack

# Seconds: from 1 ms on to 26 minutes, each bucket a quarter wider than the one before.
_BUCKETS = {"exponential_buckets": {"num_finite_buckets": 64, "growth_factor": 1.25, "scale": 0.001}}
_SERVICE = {"key": "service", "value_type": "STRING"}


class Metrics(pulumi.ComponentResource):
    """A counter of requests and a distribution of their latencies, both from the request log."""

    def __init__(self, stack: Stack, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("blueprint:index:Metrics", stack.named("metrics"), {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        service = {"service": "EXTRACT(resource.labels.service_name)"}
        logging.Metric(
            metrics.requests_name(stack),
            name=metrics.requests_name(stack),
            project=stack.project,
            filter=filters.requests(stack, ">0"),
            metric_descriptor={
                "metric_kind": "DELTA",
                "value_type": "INT64",
                "labels": [_SERVICE, {"key": "status", "value_type": "STRING"}],
            },
            label_extractors={**service, "status": "EXTRACT(httpRequest.status)"},
            opts=child,
        )
        logging.Metric(
            metrics.latencies_name(stack),
            name=metrics.latencies_name(stack),
            project=stack.project,
            filter=filters.requests(stack, ">0"),
            metric_descriptor={
                "metric_kind": "DELTA",
                "value_type": "DISTRIBUTION",
                "unit": "s",
                "labels": [_SERVICE],
            },
            # `latency` is text such as "0.012s": in seconds with a fraction.
            value_extractor='REGEXP_EXTRACT(httpRequest.latency, "([0-9.]+)s")',
            bucket_options=_BUCKETS,
            label_extractors=service,
            opts=child,
        )
        self.register_outputs({})
