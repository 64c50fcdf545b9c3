"""The log-based metrics of a stack: what Cloud Run's own counters miss. Their arguments, and their PromQL selectors. Pure.

`run.googleapis.com/request_count` leaves out what never reached a container (429, refused callers); the request log does not.
PromQL names follow docs.cloud.google.com/monitoring/promql/promql-mapping: the first `/` becomes `:`, other signs `_`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from infra import filters, promql

if TYPE_CHECKING:
    from infra.stack import Stack

# Seconds: from 1 ms, each bound a quarter above the one before. The last (3889 s) is above the longest promise, an hour:
# a quantile cannot be seen above the last bound.
_BOUNDS = tuple(round(0.001 * 1.25**step, 6) for step in range(69))
_LABELS = {"service": "EXTRACT(resource.labels.service_name)", "status": "EXTRACT(httpRequest.status)"}


def requests_name(stack: Stack) -> str:
    """The counter of requests; labels `service` (as on Cloud Run, `<name>-<stack>`) and `status` (the HTTP status)."""
    return stack.named("requests")


def latencies_name(stack: Stack) -> str:
    """The distribution of their latencies in seconds; label `service`."""
    return stack.named("request-latencies")


def bounds(stack: Stack) -> list[float]:
    """The bounds of its buckets in seconds, rising. Each promised `latency_ms` is one of them.

    `histogram_quantile` draws a straight line through a bucket. With a bound at the limit, "quantile > limit" is exact all
    the same: it says which side of the bound the quantile is on, and nothing is invented between two bounds.
    A request of exactly the limit belongs to the bucket above (logging v2, BucketOptions: lower bounds are inclusive).
    """
    promised = (service.promises for service in stack.services.values())
    return sorted({*_BOUNDS, *(each.latency_ms / 1000 for each in promised if each is not None)})


def requests(stack: Stack, *, service: str = "", status: str = "") -> str:
    """PromQL selector of the counter; `service` is a logical name, `status` a regular expression such as `5..`."""
    return _selector(requests_name(stack), "", stack, service, status)


def latencies(stack: Stack, *, service: str = "") -> str:
    """PromQL selector of the distribution's buckets, for `histogram_quantile` and for `le="…"`, both in seconds."""
    return _selector(latencies_name(stack), "_bucket", stack, service, "")


def counter(stack: Stack) -> dict[str, Any]:
    """Arguments of the counter's `logging.Metric`."""
    return _metric(stack, requests_name(stack), {"value_type": "INT64"}, ("service", "status"))


def distribution(stack: Stack) -> dict[str, Any]:
    """Arguments of the distribution's. The latency is text such as "0.012s": seconds with a fraction."""
    descriptor = {"value_type": "DISTRIBUTION", "unit": "s"}
    return {
        **_metric(stack, latencies_name(stack), descriptor, ("service",)),
        "value_extractor": 'REGEXP_EXTRACT(httpRequest.latency, "([0-9.]+)")',
        "bucket_options": {"explicit_buckets": {"bounds": bounds(stack)}},
    }


def _metric(stack: Stack, name: str, descriptor: dict[str, Any], labels: tuple[str, ...]) -> dict[str, Any]:
    """Each label that a descriptor declares needs its extractor (terraform-provider-google, logging_metric)."""
    return {
        "name": name,
        "project": stack.project,
        "filter": filters.requests(stack, ">0"),
        "metric_descriptor": {
            "metric_kind": "DELTA",
            **descriptor,
            "labels": [{"key": key, "value_type": "STRING"} for key in labels],
        },
        "label_extractors": {key: _LABELS[key] for key in labels},
    }


def _selector(name: str, suffix: str, stack: Stack, service: str, status: str) -> str:
    metric = "logging_googleapis_com:user_" + name.replace("-", "_") + suffix
    named = [f'service="{stack.named(service)}"'] if service else []
    answered = [f'status=~"{status}"'] if status else []
    return promql.selector(metric, "cloud_run_revision", stack, *named, *answered)
