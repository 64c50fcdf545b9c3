"""Where a path of console.cloud.google.com leads on the local page, so that replacing the host of a link is enough.

The shapes are those of `infra/links.py`. Times of a link are left out: the local stores hold little and are shown whole.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode


def local_path(raw_path: str) -> str | None:
    """The page's own address for a request's undecoded path and query; None for a path that is not Google's."""
    path, _, query = raw_path.partition("?")
    place, *parameters = path.rstrip("/").split(";")
    values = {key: unquote(value) for key, _, value in (each.partition("=") for each in parameters)}
    first, _, rest = place.strip("/").partition("/")
    if (first, rest) == ("logs", "query"):
        return _with("/logs", {"query": values.get("query", "")})
    if (first, rest) == ("traces", "explorer"):
        return _with("/traces", _trace_filter(values.get("query", "")))
    if (first, rest) == ("traces", "list"):
        trace_id = parse_qs(query).get("tid", [""])[0]
        return f"/traces/{trace_id}" if trace_id.isalnum() else "/traces"
    if first == "monitoring":
        return "/map" if rest.startswith("dashboards") else "/alerts"
    return "/resources" if first == "run" else None


def _trace_filter(text: str) -> dict[str, Any]:
    """Trace Explorer's own filter, as far as the list of traces knows it."""
    try:
        spans = json.loads(text)["traceQuery"]["spanFilters"]
        wanted = {"service": [str(name) for name in spans.get("services", [])]}
        return wanted | ({"status": "error"} if "ERROR" in spans.get("status", []) else {})
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _with(path: str, query: Mapping[str, Any]) -> str:
    text = urlencode({key: value for key, value in query.items() if value}, doseq=True)
    return f"{path}?{text}" if text else path
