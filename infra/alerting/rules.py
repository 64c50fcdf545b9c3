"""Which alerts a stack has: all that it gives cause for, without those that it does without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.alerting import containers, ingestion, requests, storage, telemetry
from infra.alerting.rule import Rule

if TYPE_CHECKING:
    from infra.stack import Stack


def rules(stack: Stack) -> list[Rule]:
    """One policy of each over all services, which a label tells apart. A rule without objective or budget is left out."""
    found = [
        *requests.rules(stack),
        *containers.rules(stack),
        *telemetry.rules(stack),
        *ingestion.rules(stack),
        *storage.rules(stack),
    ]
    return [rule for rule in found if rule.key not in stack.alerts.off]
