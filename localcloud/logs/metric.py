"""A log-based metric, read from Pulumi's inputs of gcp:logging/metric:Metric: what Google would refuse of it. Counts nothing."""

from collections.abc import Mapping
from typing import Any

from localcloud.logs.comparison import QueryError
from localcloud.logs.extractor import extractor
from localcloud.logs.query import compile_query

MAX_NAME = 100


class InvalidMetric(ValueError):
    """A metric that Google would refuse; the message is one sentence."""


def check_log_metric(inputs: Mapping[str, Any]) -> None:
    """Raises InvalidMetric. Google's rules are those of google.logging.v2.LogMetric."""
    name = str(inputs.get("name") or "")
    try:
        if not 0 < len(name) <= MAX_NAME:
            raise QueryError(f"its name has {len(name)} characters; 1 to {MAX_NAME} are allowed.")
        if not str(inputs.get("filter") or "").strip():
            raise QueryError("the filter is empty.")
        compile_query(inputs["filter"])
        _check_value(inputs)
        _check_labels(inputs)
    except QueryError as error:
        raise InvalidMetric(f"Log metric '{name}': {error}") from None


def _check_value(inputs: Mapping[str, Any]) -> None:
    """A counter counts entries, a distribution is one of a number in each."""
    descriptor = inputs.get("metricDescriptor") or {}
    kind, value = descriptor.get("metricKind", "DELTA"), descriptor.get("valueType", "INT64")
    if (kind, value) not in {("DELTA", "INT64"), ("DELTA", "DISTRIBUTION")}:
        raise QueryError(f"{kind} of {value} is neither a counter (DELTA, INT64) nor a DELTA DISTRIBUTION.")
    extract = inputs.get("valueExtractor")
    if bool(extract) != (value == "DISTRIBUTION"):
        raise QueryError("a valueExtractor is for a DISTRIBUTION, which needs one.")
    if extract:
        extractor(extract)


def _check_labels(inputs: Mapping[str, Any]) -> None:
    labels = {label.get("key") for label in (inputs.get("metricDescriptor") or {}).get("labels") or []}
    extractors = inputs.get("labelExtractors") or {}
    if labels != extractors.keys():
        odd = ", ".join(sorted(labels ^ extractors.keys()))
        raise QueryError(f"each label needs an extractor, and each extractor a label: {odd}.")
    for text in extractors.values():
        extractor(text)
