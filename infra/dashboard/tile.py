"""Tiles: a widget of the dashboards API with its size on the grid. Only values that the API gives back as they are.

Kinds and fields: google.monitoring.dashboard.v1 (Widget, XyChart, LogsPanel, AlertChart, IncidentList, Text).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

SHARE, SECONDS, PER_SECOND, USD = "10^2.%", "s", "1/s", "{USD}"
"""Units as Monitoring writes them (UCUM); `10^2.%` shows a share from 0 to 1 in percent."""


@dataclass(frozen=True)
class Tile:
    """A widget; width in columns of the grid, which has 48, and height in rows of the same size."""

    widget: dict[str, Any]
    width: int
    height: int = 14


Row = Sequence[Tile]


@dataclass(frozen=True)
class Line:
    """What a chart draws: a PromQL query, or a filter of the Monitoring language for what PromQL cannot reach (SLOs)."""

    query: str = ""
    filter: str = ""
    legend: str = ""
    unit: str = ""

    def json(self) -> dict[str, Any]:
        """A DataSet of an XyChart."""
        source: dict[str, Any] = {"prometheusQuery": self.query}
        if self.filter:
            aligned = {"alignmentPeriod": "60s", "perSeriesAligner": "ALIGN_NEXT_OLDER"}
            source = {"timeSeriesFilter": {"filter": self.filter, "aggregation": aligned}}
        return {
            "legendTemplate": self.legend,
            "plotType": "LINE",
            "targetAxis": "Y1",
            "timeSeriesQuery": {**source, "unitOverride": self.unit},
        }


def chart(title: str, lines: Iterable[Line], width: int, limits: Iterable[tuple[str, float]] = ()) -> Tile:
    """A chart of lines over time; `limits` are named levels across it."""
    thresholds = [{"label": label, "targetAxis": "Y1", "value": value} for label, value in limits]
    drawn = {
        "chartOptions": {"mode": "COLOR"},
        "dataSets": [line.json() for line in lines],
        "thresholds": thresholds,
        "yAxis": {"scale": "LINEAR"},
    }
    return Tile({"title": title, "xyChart": drawn}, width)


def log_panel(title: str, query: str, width: int) -> Tile:
    """Log entries of the dashboard's own project."""
    return Tile({"title": title, "logsPanel": {"filter": query}}, width, 16)


def alert(title: str, policy: str, width: int) -> Tile:
    """The expression of an alert policy on metrics, with its threshold. The policy must have one condition."""
    return Tile({"title": title, "alertChart": {"name": policy}}, width)


def incidents(title: str, policies: Iterable[str], width: int) -> Tile:
    """Open and recent incidents of these policies, whose names the API takes without the project."""
    names = ["alertPolicies/" + name.rsplit("/", 1)[-1] for name in policies]
    return Tile({"title": title, "incidentList": {"policyNames": names}}, width)


def text(content: str, width: int) -> Tile:
    """Markdown."""
    return Tile({"text": {"content": content, "format": "MARKDOWN"}}, width)
