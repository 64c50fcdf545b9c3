"""An alert policy on metrics by PromQL: checked, held and listed as on Google, and never fired.

localcloud has no time series to evaluate it on. Other metric conditions are refused (`localcloud/logmatch.py`).
"""

from collections.abc import Mapping
from typing import Any

from localcloud.logmatch import InvalidPolicy
from localcloud.logs.comparison import duration_ns

CONDITION = "conditionPrometheusQueryLanguage"


def is_promql(inputs: Mapping[str, Any]) -> bool:
    """Whether every condition of the policy is a PromQL one. Google mixes no kinds in one policy."""
    conditions = inputs.get("conditions") or []
    return bool(conditions) and all(condition.get(CONDITION) for condition in conditions)


def check_promql(inputs: Mapping[str, Any]) -> None:
    """Raises InvalidPolicy. Google's rules are those of google.monitoring.v3.AlertPolicy (PrometheusQueryLanguageCondition).

    The expression itself is not parsed.
    """
    title = inputs.get("displayName")
    if not title:
        raise InvalidPolicy("An alert policy needs a displayName.")
    for condition in inputs["conditions"]:
        promql = condition[CONDITION]
        if not str(promql.get("query") or "").strip():
            raise InvalidPolicy(f"Alert policy '{title}': the query is empty.")
        for key, every, least in (("duration", 1, 0), ("evaluationInterval", 30, 30)):
            seconds = _seconds(title, key, promql.get(key))
            if seconds is not None and (seconds < least or seconds % every):
                raise InvalidPolicy(
                    f"Alert policy '{title}': {key} has value '{promql[key]}',"
                    f" but must be at least {least}s and a multiple of {every}s."
                )


def _seconds(title: str, key: str, duration: str | None) -> float | None:
    if not duration:
        return None
    try:
        return duration_ns(duration) / 1e9
    except ValueError:
        raise InvalidPolicy(
            f"Alert policy '{title}': {key} has value '{duration}', which is not a duration like '60s'."
        ) from None
