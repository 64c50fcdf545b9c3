"""The log lines to read first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra import filters
from infra.dashboard.tile import Row, log_panel

if TYPE_CHECKING:
    from infra.stack import Stack


def rows(stack: Stack) -> list[Row]:
    """Error lines, and requests that ended badly."""
    bad = filters.requests(stack, ">=500")
    return [
        (
            log_panel("Error logs", filters.errors(stack), 24),
            log_panel("Requests that ended with 5xx", bad, 24),
        )
    ]
