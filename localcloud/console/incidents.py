"""Alerts as the page shows them: Monitoring's own shape, and beside it the document, the query and the traces."""

from __future__ import annotations

from typing import Any

from localcloud.alerts import AlertPolicies


def incidents(policies: AlertPolicies) -> dict[str, Any]:
    """Newest first. Of a policy by PromQL the page says that nothing here evaluates it."""
    now = policies.clock()
    return {
        "alerts": [
            alert.json(now)
            | {
                "document": alert.document,
                "query": alert.query,
                "insertId": alert.insert_id,
                "traceIds": alert.trace_ids,
            }
            for alert in reversed(list(policies.alerts))
        ],
        "policies": [
            {
                "name": policy["name"],
                "displayName": policy.get("displayName", ""),
                "severity": policy.get("severity", ""),
                "enabled": bool(policy.get("enabled", True)),
                "query": _query(policy),
            }
            for policy in policies.policies()
        ],
    }


def _query(policy: dict[str, Any]) -> str | None:
    """The filter of a log match; None for a policy by PromQL."""
    matched = (each.get("conditionMatchedLog") for each in policy.get("conditions", ()))
    return next((str(match["filter"]) for match in matched if match), None)
