"""The keys of the alerts, as `blueprint:alerts.off` and infra/runbook.md name them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.schema.problem import Problem
from infra.schema.unknown import unknown_key

if TYPE_CHECKING:
    from infra.stack import Stack

ALERT_KEYS = (
    "timeouts", "error-ratio", "latency", "error-logs",
    "crash", "out-of-memory", "failed-start", "no-instance", "instances",
    "trace-export", "trace-silent", "trace-missing",
    "span-ingestion", "log-ingestion",
    "bucket-region",
    "burn-fast", "burn-slow",
)  # fmt: skip


def known_alerts(stack: Stack) -> Iterator[Problem]:
    """Only an alert that exists can be switched off."""
    for index, key in enumerate(stack.alerts.off):
        if key not in ALERT_KEYS:
            yield unknown_key(f"blueprint:alerts.off.{index}", key, list(ALERT_KEYS))
