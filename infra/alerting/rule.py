"""An alert as data. How Monitoring is told of it is in `infra/alerting/policy.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from infra import links

SUSTAINED = "300s"
"""How long an expression over requests must hold: a window of bad minutes, not a bad minute in a window."""


@dataclass(frozen=True)
class Rule:
    """An alert. `key` names its resource and its section of the runbook; `says` follows the service's name.

    With a `query` it watches metrics by PromQL for as long as `hold`: then `says` follows the stack's name, and `filter`
    only finds the log entries to read first. Without one it opens for each log entry that `filter` matches.
    `all_traces`: those to look at need not have failed. The links of a notification look `hours` back.
    """

    key: str
    title: str
    severity: Literal["CRITICAL", "ERROR", "WARNING"]
    filter: str
    says: str
    query: str = ""
    hold: str = SUSTAINED
    all_traces: bool = False
    hours: int = links.HOURS
    by_event: bool = False
