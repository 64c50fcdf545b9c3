"""The log-based metrics: what they count of the request log, and under which names others read them."""

from __future__ import annotations

from typing import Any

import pytest
from stack_files import filled_in, parsed
from wire import wire

from infra import metrics
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
