"""The log-based metrics of a stack: what Cloud Run's own counters miss. Names, and their PromQL selectors. Pure text.

`run.googleapis.com/request_count` leaves out what never reached a container (429, refused callers); the request log does not.
PromQL names follow docs.cloud.google.com/monitoring/promql/promql-mapping: the first `/` becomes `:`, other signs `_`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.stack import Stack


def requests_name(stack: Stack) -> str:
    """The counter of requests; labels `service` (as on Cloud Run, `<name>-<stack>`) and `status` (the HTTP status)."""
    return stack.named("requests")


def latencies_name(stack: Stack) -> str:
    """The distribution of their latencies in seconds; label `service`."""
    return stack.named("request-latencies")


def requests(stack: Stack, *, service: str = "", status: str = "") -> str:
    """PromQL selector of the counter; `service` is a logical name, `status` a regular expression such as `5..`."""
    return _selector(_mapped(requests_name(stack)), stack, service, status)


def latencies(stack: Stack, *, service: str = "") -> str:
    """PromQL selector of the distribution's buckets, for `histogram_quantile` and for `le="…"`, both in seconds."""
    return _selector(_mapped(latencies_name(stack)) + "_bucket", stack, service, "")


def _mapped(name: str) -> str:
    return "logging_googleapis_com:user_" + name.replace("-", "_")


def _selector(metric: str, stack: Stack, service: str, status: str) -> str:
    matchers = ['monitored_resource="cloud_run_revision"', f'project_id="{stack.project}"']
    if service:
        matchers.append(f'service="{stack.named(service)}"')
    if status:
        matchers.append(f'status=~"{status}"')
    return f"{metric}{{{','.join(matchers)}}}"
