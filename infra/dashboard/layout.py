"""Where the tiles of a dashboard are: rows from the top, each filled from the left. The API knows no rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from infra.dashboard.tile import Row

COLUMNS = 48


def mosaic(rows: Iterable[Row]) -> dict[str, Any]:
    """A MosaicLayout. A row is as high as its highest tile; raises ValueError for one that is wider than the grid."""
    tiles: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        left = 0
        for tile in row:
            tiles.append(
                {"xPos": left, "yPos": top, "width": tile.width, "height": tile.height, "widget": tile.widget}
            )
            left += tile.width
        if left > COLUMNS:
            raise ValueError(f"A row of the dashboard is {left} columns wide: {COLUMNS} at most.")
        top += max((tile.height for tile in row), default=0)
    return {"columns": COLUMNS, "tiles": tiles}
