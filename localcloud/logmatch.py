"""A log-match alert policy, read from Pulumi's inputs of gcp:monitoring/alertPolicy:AlertPolicy, or refused.

Metric conditions are refused, not ignored: localcloud has no time series. Those by PromQL never come here
(`localcloud/promql.py`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.logs.comparison import Predicate, QueryError, duration_ns
from localcloud.logs.extractor import Extractor, extractor
from localcloud.logs.query import compile_query
from localcloud.logs.store import LogEntry


class InvalidPolicy(ValueError):
    """A policy that Google would refuse or localcloud cannot evaluate; the message is one sentence."""


@dataclass(frozen=True)
class LogMatch:
    """What a policy looks for and what it does then; times in seconds."""

    inputs: Mapping[str, Any]
    matches: Predicate
    extractors: Mapping[str, Extractor]
    period: float
    closes_after: float | None

    @property
    def query(self) -> str:
        """The filter, in the Logging query language."""
        return str(self.inputs["conditions"][0]["conditionMatchedLog"]["filter"])

    def labels(self, entry: LogEntry) -> dict[str, str]:
        """The value of each label extractor; "" where it finds nothing."""
        return {key: extract(entry) for key, extract in self.extractors.items()}

    def document(self, labels: Mapping[str, str]) -> str:
        """The documentation with ${log.extracted_label.KEY} filled in; other variables stay as they are."""
        text = str((self.inputs.get("documentation") or {}).get("content", ""))
        return re.sub(
            r"\$\{log\.extracted_label\.(\w+)\}", lambda match: labels.get(match[1], match[0]), text
        )


def log_match(inputs: Mapping[str, Any]) -> LogMatch:
    """Raises InvalidPolicy. Google's rules are those of google.monitoring.v3.AlertPolicy (LogMatch, AlertStrategy.notification_rate_limit)."""
    title = inputs.get("displayName")
    if not title:
        raise InvalidPolicy("An alert policy needs a displayName.")
    conditions = inputs.get("conditions") or []
    matched = [found for condition in conditions if (found := condition.get("conditionMatchedLog"))]
    if len(conditions) != 1 or not matched:
        raise InvalidPolicy(
            f"Alert policy '{title}' has {len(conditions)} conditions, {len(matched)} of them conditionMatchedLog:"
            " exactly one, a conditionMatchedLog, is what Google takes with a log match and what localcloud evaluates;"
            " on metrics it takes conditionPrometheusQueryLanguage alone."
        )
    strategy = inputs.get("alertStrategy") or {}
    period = (strategy.get("notificationRateLimit") or {}).get("period")
    if not period:
        raise InvalidPolicy(
            f"Alert policy '{title}' has a conditionMatchedLog and no alertStrategy.notificationRateLimit.period:"
            " a log match requires one, e.g. '300s'."
        )
    try:
        if not matched[0].get("filter", "").strip():
            raise QueryError("the filter is empty.")
        return LogMatch(
            inputs=inputs,
            matches=compile_query(matched[0]["filter"]),
            extractors={
                key: extractor(text) for key, text in (matched[0].get("labelExtractors") or {}).items()
            },
            period=_seconds(period),
            closes_after=_seconds(strategy["autoClose"]) if strategy.get("autoClose") else None,
        )
    except QueryError as error:
        raise InvalidPolicy(f"Alert policy '{title}': {error}") from None


def _seconds(duration: str) -> float:
    try:
        return duration_ns(duration) / 1e9
    except ValueError:
        raise QueryError(f"'{duration}' is not a duration like '300s'.") from None
