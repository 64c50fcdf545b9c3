"""Addresses of Google Cloud console pages, each with its query filled in. Pure text: nothing is opened."""

from __future__ import annotations

import json
from urllib.parse import quote

_CONSOLE = "https://console.cloud.google.com"


def logs(project: str, query: str) -> str:
    """Logs Explorer with a query in the Logging language, last hour."""
    return f"{_CONSOLE}/logs/query;query={quote(query, safe='')};duration=PT1H?project={project}"


def traces(project: str, *, failed: bool = False) -> str:
    """Trace Explorer over all spans of the last hour, or only those that ended in an error."""
    spans = {
        "attributes": [],
        "displayNames": [],
        "isRootSpan": False,
        "kinds": [],
        "maxDuration": "",
        "minDuration": "",
        "services": [],
        "status": ["ERROR"] if failed else [],
    }
    scope = f"projects/{project}/locations/global/traceScopes/_Default"
    query = {
        "plotType": "HEATMAP",
        "targetAxis": "Y1",
        "traceQuery": {"resourceContainer": scope, "spanDataValue": "SPAN_DURATION", "spanFilters": spans},
    }
    text = quote(json.dumps(query, separators=(",", ":")), safe="")
    return f"{_CONSOLE}/traces/explorer;query={text};duration=PT1H?project={project}"


def services(project: str) -> str:
    """Cloud Run's list of services."""
    return f"{_CONSOLE}/run?project={project}"


def alerts(project: str) -> str:
    """Cloud Monitoring's list of alert policies and open incidents."""
    return f"{_CONSOLE}/monitoring/alerting?project={project}"


def dashboards(project: str) -> str:
    """Cloud Monitoring's list of the dashboards that are not Google's own."""
    state = quote('("dashboards":("t":"Custom"))', safe="")
    return f"{_CONSOLE}/monitoring/dashboards?pageState={state}&project={project}"
