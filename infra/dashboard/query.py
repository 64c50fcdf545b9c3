"""PromQL selectors of Cloud Run's own metrics. Those of the request log are in `infra/metrics.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.stack import Stack


def run_metric(stack: Stack, metric: str) -> str:
    """The series of this stack's services for a metric below run.googleapis.com/container/, such as `instance_count`."""
    names = "|".join(map(stack.named, sorted(stack.services)))
    where = (
        f'monitored_resource="cloud_run_revision",project_id="{stack.project}",'
        f'location="{stack.region}",service_name=~"{names}"'
    )
    return f"run_googleapis_com:container_{metric}{{{where}}}"


def quantile_by_service(stack: Stack, metric: str, quantile: float) -> str:
    """A quantile of a distribution of all instances of each service, in the metric's own unit."""
    buckets = f"sum by (service_name, le) (rate({run_metric(stack, metric + '_bucket')}[5m]))"
    return f"histogram_quantile({quantile:g}, {buckets})"
