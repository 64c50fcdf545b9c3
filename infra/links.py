"""Addresses of Google Cloud console pages, each with its query filled in. Pure text: nothing is opened.

Times are relative to the click, which may be hours after the notification.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from urllib.parse import quote

_CONSOLE = "https://console.cloud.google.com"

HOURS = 6
"""How far back a page looks unless told otherwise: a notification of the night is read in the morning."""


def logs(project: str, query: str, *, hours: int = HOURS) -> str:
    """Logs Explorer with a query in the Logging language."""
    return (
        f"{_CONSOLE}/logs/query;query={quote(query, safe='')};duration={_duration(hours)}?project={project}"
    )


def traces(project: str, *, failed: bool = False, services: Iterable[str] = (), hours: int = HOURS) -> str:
    """Trace Explorer over all spans, or only those that ended in an error; of `services` alone, if any are named.

    These are values of `service.name`, which is a service's logical name here (`infra/environment.py`). Inferred: that the
    page's own address has them as plain text; it is documented nowhere, and read with an empty list only.
    """
    spans = {
        "attributes": [],
        "displayNames": [],
        "isRootSpan": False,
        "kinds": [],
        "maxDuration": "",
        "minDuration": "",
        "services": sorted(services),
        "status": ["ERROR"] if failed else [],
    }
    scope = f"projects/{project}/locations/global/traceScopes/_Default"
    query = {
        "plotType": "HEATMAP",
        "targetAxis": "Y1",
        "traceQuery": {"resourceContainer": scope, "spanDataValue": "SPAN_DURATION", "spanFilters": spans},
    }
    text = quote(json.dumps(query, separators=(",", ":")), safe="")
    return f"{_CONSOLE}/traces/explorer;query={text};duration={_duration(hours)}?project={project}"


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


def dashboard(project: str, name: str) -> str:
    """The dashboard with the resource name `projects/…/dashboards/ID`."""
    page = quote(name.rpartition("/")[2], safe="")
    return f"{_CONSOLE}/monitoring/dashboards/builder/{page}?project={project}"


def _duration(hours: int) -> str:
    """ISO 8601, whole days as days."""
    return f"PT{hours}H" if hours % 24 else f"P{hours // 24}D"
