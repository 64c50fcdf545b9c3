"""The log-based metrics: what they count of the request log, and under which names others read them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from promql_series import Series, fires
from stack_files import changed, filled_in, parsed
from wire import wire

from infra import metrics
from infra.alerting.rules import rules
from infra.objectives.burn import FAST, SLOW, expression
from infra.objectives.objective import objectives
from infra.stack import Stack
from localcloud.logs.extractor import extractor
from localcloud.logs.metric import check_log_metric
from localcloud.logs.query import compile_query

STACK = parsed("dev", filled_in("dev"))
BOTH = pytest.mark.parametrize("metric", [metrics.counter(STACK), metrics.distribution(STACK)], ids=lambda metric: metric["name"])  # fmt: skip


def _request(status: int, service: str = "gateway-dev", log: str = "requests") -> dict[str, Any]:
    return {
        "logName": f"projects/acme-docs/logs/run.googleapis.com%2F{log}",
        "resource": {"type": "cloud_run_revision", "labels": {"service_name": service}},
        "httpRequest": {"status": status, "latency": "0.012s"},
    }


@BOTH
@pytest.mark.parametrize(
    ("entry", "counted"),
    [
        (_request(200), True),
        (_request(429), True),
        (_request(403), True),
        (_request(504, "archive-dev"), True),
        (_request(200, "other-dev"), False),
        (_request(200, "gateway-prod"), False),
        (_request(200, log="stdout"), False),
        ({**_request(200), "httpRequest": {}}, False),
    ],
)
def test_every_request_of_this_stack_counts_once(
    metric: dict[str, Any], entry: dict[str, Any], counted: bool
) -> None:
    """Also what no container answered; not what a container writes about requests itself."""
    assert compile_query(metric["filter"])(entry) is counted


@BOTH
def test_every_label_has_its_extractor(metric: dict[str, Any]) -> None:
    """Google refuses a label without, and an extractor without a label."""
    check_log_metric(wire(metric))
    assert [label["key"] for label in metric["metric_descriptor"]["labels"]] == list(
        metric["label_extractors"]
    )
    found = {key: extractor(text)(_request(429)) for key, text in metric["label_extractors"].items()}
    assert found.items() <= {"service": "gateway-dev", "status": "429"}.items()


@pytest.mark.parametrize(
    ("latency", "seconds"), [("0.012s", 0.012), ("61.5s", 61.5), ("3s", 3), ("0.5", 0.5)]
)
def test_a_latency_is_a_number_of_seconds(latency: str, seconds: float) -> None:
    """With a unit or without."""
    entry = _request(200) | {"httpRequest": {"status": 200, "latency": latency}}
    assert float(extractor(metrics.distribution(STACK)["value_extractor"])(entry)) == seconds


def test_selectors_are_what_dashboards_and_objectives_ask_for() -> None:
    """One service or all of them, one class of status or all."""
    where = 'monitored_resource="cloud_run_revision",project_id="acme-docs"'
    counter = "logging_googleapis_com:user_requests_dev"
    buckets = "logging_googleapis_com:user_request_latencies_dev_bucket"
    assert metrics.requests(STACK) == f"{counter}{{{where}}}"
    assert metrics.requests(STACK, service="gateway", status="5..") == (
        f'{counter}{{{where},service="gateway-dev",status=~"5.."}}'
    )
    assert metrics.latencies(STACK) == f"{buckets}{{{where}}}"
    assert metrics.latencies(STACK, service="gateway") == f'{buckets}{{{where},service="gateway-dev"}}'


LIMITS = pytest.mark.parametrize("limit_ms", [1, 333, 500, 1000, 1234, 60_000, 1_999_999, 3_600_000])


def _promising(limit_ms: int, share: float) -> Stack:
    promise = {"latency_ms": limit_ms, "latency_share": share}
    return parsed("dev", changed(filled_in("dev"), "services.gateway.objectives", promise))


def _took(stack: Stack, per_minute: Mapping[float, float]) -> list[Series]:
    """Six hours of requests that took so many seconds each, counted in the buckets that the stack declares."""
    labels = {"monitored_resource": "cloud_run_revision", "project_id": "acme-docs", "service": "gateway-dev"}
    bounds = metrics.distribution(stack)["bucket_options"]["explicit_buckets"]["bounds"]
    # A bucket's upper bound is exclusive (logging v2, BucketOptions).
    within = {
        f"{le}": sum(n for took, n in per_minute.items() if took < le) for le in [*bounds, float("inf")]
    }
    name = "logging_googleapis_com:user_request_latencies_dev_bucket"
    every = Series(
        "logging_googleapis_com:user_requests_dev", {**labels, "status": "200"}, [within["inf"]] * 360
    )
    return [every, *(Series(name, {**labels, "le": le}, [count] * 360) for le, count in within.items())]


def _latency_alerts(stack: Stack) -> dict[str, str]:
    latency = next(each for each in objectives(stack) if each.kind == "latency")
    burning = {burn.key: expression(stack, latency, burn) for burn in (FAST, SLOW)}
    return {**burning, "latency": next(rule.query for rule in rules(stack) if rule.key == "latency")}


@LIMITS
@pytest.mark.parametrize("share", [0.95, 0.99])
def test_nobody_is_woken_while_the_promise_is_kept(limit_ms: int, share: float) -> None:
    """Every request just under the limit: a straight line through a bucket around the limit would be above it."""
    stack = _promising(limit_ms, share)
    for under in (0.83, 0.9, 0.999):
        series = _took(stack, {limit_ms / 1000 * under: 1000})
        assert [key for key, query in _latency_alerts(stack).items() if fires(query, series)] == []


@LIMITS
@pytest.mark.parametrize("share", [0.95, 0.99])
def test_requests_just_above_the_limit_count_as_slow(limit_ms: int, share: float) -> None:
    """As many as each alert is for, by one more of 1000 and by one fewer, all at 1 % above the limit."""
    stack, limit = _promising(limit_ms, share), limit_ms / 1000
    budget = 1000 * (1 - share)
    for key, most in {"latency": budget, FAST.key: 14.4 * budget, SLOW.key: 6 * budget}.items():
        for slow, expected in ((most + 1, True), (most - 1, False)):
            series = _took(stack, {limit * 0.5: 1000 - slow, limit * 1.01: slow})
            assert fires(_latency_alerts(stack)[key], series) is expected, (key, slow)


def test_the_bounds_rise_and_every_promise_is_one_of_them() -> None:
    """Google refuses bounds that do not rise. Services that promise the same share one; the last is above any promise."""
    values = changed(filled_in("dev"), "services.gateway.objectives", {"latency_ms": 333})
    for name in ("archive", "extract"):
        values = changed(values, f"services.{name}.objectives", {"latency_ms": 777})
    bounds = metrics.bounds(parsed("dev", values))
    assert all(a < b for a, b in pairwise(bounds))
    assert {0.333, 0.777} < set(bounds)
    assert bounds[-1] > 3600
    assert len(bounds) < 200
