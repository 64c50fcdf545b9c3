"""The estimate as a table that `pulumi preview` prints: at most 100 columns, the same text for the same stack."""

from __future__ import annotations

from infra.costs.estimate import Estimate, Line
from infra.costs.prices import DAYS, MONTH_S

UNKNOWN = (
    "Not in it: storage, egress, models, alerting, images, builds, cold starts, spare instances, probes."
)
SILENT = "No traffic is declared: give expected_rps to the services that are called from outside."


def report(estimate: Estimate) -> str:
    """Lines of text without a newline at the end."""
    title = _row(f"{DAYS} days", "", "quantity", "unit", "free", "USD")
    rows = [_line(line) for line in estimate.lines]
    total = _row("total", "", "", "", "", f"{estimate.total_usd:,.2f}")
    return "\n".join([title, *rows, total, *_notes(estimate)])


def _line(line: Line) -> str:
    free = _number(line.free) if line.free else ""
    return _row(line.part, line.what, _number(line.quantity), line.price.unit, free, f"{line.usd:,.2f}")


def _row(part: str, what: str, quantity: str, unit: str, free: str, usd: str) -> str:
    """One row in columns, 100 wide; the name of a bucket may be too long for its own."""
    what = what if len(what) <= 28 else what[:27] + "…"
    return f"{part:<10}{what:<28}{quantity:>16}  {unit:<20}{free:>9}{usd:>15}"


def _number(value: float) -> str:
    return f"{value:,.2f}" if value < 1000 else f"{value:,.0f}"


def _notes(estimate: Estimate) -> list[str]:
    if not estimate.requests:
        return [SILENT, UNKNOWN]
    rps, spans = estimate.requests / MONTH_S, estimate.spans
    traffic = f"{rps:,.6g} requests/s from outside, {spans.per_request:.3g} spans each, {spans.kept * 100:.3g} % sent."
    return [traffic, UNKNOWN]
