"""Log-based metrics: what Google would refuse is refused here, in a sentence that names the metric."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from localcloud.logs.metric import InvalidMetric, check_log_metric

COUNTER: dict[str, Any] = {
    "name": "requests",
    "filter": "httpRequest.status>0",
    "metricDescriptor": {
        "metricKind": "DELTA",
        "valueType": "INT64",
        "labels": [{"key": "status", "valueType": "STRING"}],
    },
    "labelExtractors": {"status": "EXTRACT(httpRequest.status)"},
}
DISTRIBUTION: dict[str, Any] = {
    "name": "latencies",
    "filter": "httpRequest.status>0",
    "metricDescriptor": {"metricKind": "DELTA", "valueType": "DISTRIBUTION", "unit": "s"},
    "valueExtractor": 'REGEXP_EXTRACT(httpRequest.latency, "([0-9.]+)")',
}


def described(metric: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy with another descriptor."""
    return copy.deepcopy(metric) | {"metricDescriptor": metric["metricDescriptor"] | changes}


@pytest.mark.parametrize("metric", [COUNTER, DISTRIBUTION, {"name": "plain", "filter": "severity>=ERROR"}])
def test_what_google_takes_is_taken(metric: dict[str, Any]) -> None:
    """A counter, a distribution, and a counter without any descriptor."""
    check_log_metric(metric)


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (COUNTER | {"name": "x" * 101}, "its name has 101 characters"),
        (COUNTER | {"name": ""}, "its name has 0 characters"),
        (COUNTER | {"filter": " "}, "'requests': the filter is empty"),
        (COUNTER | {"filter": "severity=LOUD"}, "'requests': .*LOUD"),
        (COUNTER | {"labelExtractors": {}}, "each label needs an extractor, and each extractor a label: status"),
        (described(COUNTER, labels=[]), "each extractor a label: status"),
        (COUNTER | {"labelExtractors": {"status": "httpRequest.status"}}, "neither EXTRACT"),
        (COUNTER | {"labelExtractors": {"status": "EXTRACT(status)"}}, "Field not found"),
        (described(COUNTER, metricKind="GAUGE"), "GAUGE of INT64 is neither"),
        (COUNTER | {"valueExtractor": "EXTRACT(httpRequest.status)"}, "is for a DISTRIBUTION, which needs one"),
        (DISTRIBUTION | {"valueExtractor": None}, "is for a DISTRIBUTION, which needs one"),
        (DISTRIBUTION | {"valueExtractor": 'REGEXP_EXTRACT(httpRequest.latency, "s")'}, "0 groups"),
    ],
)  # fmt: skip
def test_what_google_refuses_is_refused(metric: dict[str, Any], words: str) -> None:
    """Else it would be found out by the first deployment to a real project."""
    with pytest.raises(InvalidMetric, match=words):
        check_log_metric(metric)
