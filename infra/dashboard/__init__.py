"""The dashboard of a stack, as the JSON of Monitoring's dashboards API. A row of tiles is a tuple; a file has one theme."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from infra.dashboard import budgets, instances, logs, overview, tracing, traffic
from infra.dashboard.layout import mosaic
from infra.dashboard.normal import normalised

if TYPE_CHECKING:
    from infra.stack import Stack


def dashboard(stack: Stack, policies: Mapping[str, str], slos: Mapping[str, Mapping[str, str]]) -> str:
    """The normalised JSON; `policies` are resource names by title, `slos` those of each service's objectives by kind."""
    rows = [
        *traffic.rows(stack),
        *budgets.rows(stack, policies, slos),
        *instances.rows(stack),
        *tracing.rows(stack),
        *logs.rows(stack),
    ]
    rows = [*overview.rows(stack, policies, rows), *rows]
    return normalised({"displayName": f"Services · {stack.env}", "mosaicLayout": mosaic(rows)})
