"""Alerts as the page shows them: Monitoring's own shape, and beside it the document, the query and the traces."""

from __future__ import annotations

from typing import Any

from localcloud.alerts import Alert, AlertPolicies
from traces.safetext import all_safe, safe_text
from traces.tone import severity_tone


def incidents(policies: AlertPolicies) -> dict[str, Any]:
    """Newest first, policies by their titles. Of a policy by PromQL the page says that nothing here evaluates it."""
    now = policies.clock()
    listed = [
        {
            "displayName": policy.get("displayName", ""),
            "severity": policy.get("severity", ""),
            "enabled": bool(policy.get("enabled", True)),
            "query": _query(policy),
        }
        for policy in policies.policies()
    ]
    return {
        "alerts": [_alert(alert, now) for alert in reversed(list(policies.alerts))],
        "policies": sorted(listed, key=lambda policy: str(policy["displayName"]).casefold()),
    }


def _alert(alert: Alert, now: float) -> dict[str, Any]:
    """A query is no text to be shown: it is run, and stays as it is."""
    return all_safe(alert.json(now)) | {
        "tone": severity_tone(alert.policy.get("severity", "")) or "warn",
        "document": safe_text(alert.document),
        "query": alert.query,
        "insertId": alert.insert_id,
        "traceIds": list(alert.trace_ids),
    }


def _query(policy: dict[str, Any]) -> str | None:
    """The filter of a log match; None for a policy by PromQL."""
    matched = (each.get("conditionMatchedLog") for each in policy.get("conditions", ()))
    return next((str(match["filter"]) for match in matched if match), None)
