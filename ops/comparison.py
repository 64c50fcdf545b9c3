"""What changed between two traces: `explain --compare A B`. Pure functions of their records, and a table of them."""

from collections.abc import Callable, Sequence
from typing import TypedDict

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from traces.quantities import ms
from traces.record import Record
from traces.safetext import safe

_MAX_ROWS = 10
_SAME_MS = 1.0


class Change(TypedDict):
    """One service's spans of one name: their own time on the critical path of either trace, in ms."""

    service: str
    span: str
    a_ms: float
    b_ms: float
    change_ms: float


class Comparison(TypedDict):
    """The contract of `explain --compare A B --json`; the largest change first."""

    a: Record
    b: Record
    changes: list[Change]
    sentence: str


def compare(a: Record, b: Record) -> Comparison:
    """`changes` has every span of either critical path; together they are the change of the client's wait."""
    before, after = _times(a), _times(b)
    changes = [
        Change(
            service=service,
            span=span,
            a_ms=before.get((service, span), 0.0),
            b_ms=after.get((service, span), 0.0),
            change_ms=round(after.get((service, span), 0.0) - before.get((service, span), 0.0), 3),
        )
        for service, span in {**before, **after}
    ]
    changes.sort(key=lambda change: -abs(change["change_ms"]))
    return Comparison(a=a, b=b, changes=changes, sentence=_sentence(a, b, changes))


class ComparisonTable:
    """Rich renderable of a comparison: both requests, what changed, and the sentence last."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        def text(line: str, style: str = "") -> Text:
            return Text(safe(line, options.ascii_only), style=style, overflow="fold")

        for name, found in (("A", self._comparison["a"]), ("B", self._comparison["b"])):
            verdict = found["verdict"]
            cause = verdict["cause"] if verdict else "no spans"
            times = f"{_ms(found['duration_ms'])}, {_ms(found['dark_ms'])} dark"
            yield text(f"{name}  {found['trace_id']}  {found['status'] or 'no status'}, {times}, {cause}")
        yield text("Own time on the critical path, by change", "bold")
        yield self._table(text)
        yield Text()
        yield text(self._comparison["sentence"], "bold")

    def _table(self, text: Callable[[str], Text]) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column()
        for _ in range(3):
            table.add_column(justify="right", no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row("", "A", "B", "change", "", style="dim")
        changes = self._comparison["changes"]
        for change in changes[:_MAX_ROWS]:
            numbers = (_ms(change["a_ms"]), _ms(change["b_ms"]), _signed(change["change_ms"]))
            table.add_row("", *map(text, numbers), text(f"{change['service']} {change['span']}"))
        if len(changes) > _MAX_ROWS:
            table.add_row("", "", "", "", f"and {len(changes) - _MAX_ROWS} smaller ones")
        return table


def _times(found: Record) -> dict[tuple[str, str], float]:
    times: dict[tuple[str, str], float] = {}
    for part in found["critical_path"]:
        key = (part["service"], part["span"])
        times[key] = round(times.get(key, 0.0) + part["self_ms"], 3)
    return times


def _sentence(a: Record, b: Record, changes: Sequence[Change]) -> str:
    if a["verdict"] is None or b["verdict"] is None:
        return "There is nothing to compare: one of the two traces has no spans."
    parts = [_duration(a["duration_ms"], b["duration_ms"], changes)]
    if a["status"] != b["status"]:
        parts.append(f"the client got {b['status'] or 'no status'} instead of {a['status'] or 'no status'}")
    causes = (a["verdict"]["cause"], b["verdict"]["cause"])
    if causes[0] == causes[1]:
        parts.append(f"the cause of both is {causes[0]}")
    else:
        parts.append(f"the cause is {causes[1]} instead of {causes[0]}")
    return "; ".join(parts) + "."


def _duration(before: float, after: float, changes: Sequence[Change]) -> str:
    change = after - before
    if abs(change) < _SAME_MS:
        return f"B took as long as A ({_ms(after)})"
    said = f"B took {_ms(abs(change))} {'longer' if change > 0 else 'less'} than A ({_ms(after)}, not {_ms(before)})"
    likewise = (one for one in changes if one["change_ms"] * change > 0)
    most = next(likewise, None)
    if most is None:
        return said
    amount = "most of it" if 2 * abs(most["change_ms"]) >= abs(change) else "the largest part"
    return f"{said}, {amount} in {most['service']} {most['span']} ({_signed(most['change_ms'])})"


def _ms(milliseconds: float) -> str:
    return ms(round(milliseconds * 1e6))


def _signed(milliseconds: float) -> str:
    return f"{'+' if milliseconds > 0 else ''}{_ms(milliseconds)}"
