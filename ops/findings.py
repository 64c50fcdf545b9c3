"""What follows from a trace, in words: critical path, dark time, who worked on for nobody, doubts, and the verdict."""

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from traces.analysis import Analysis
from traces.darktime import display_name
from traces.quantities import ms, percent
from traces.safetext import safe
from traces.span import Span

_MAX_ROWS = 8
Row = tuple[str, str, str]


class Findings:
    """Rich renderable of one analysis, to follow its waterfall."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        def text(line: str, style: str = "") -> Text:
            return Text(safe(line, options.ascii_only), style=style, overflow="fold")

        tree = self._analysis.tree
        if tree.entry is None:
            yield text("The trace has no spans.")
            return
        wait = tree.wait[1] - tree.wait[0]
        yield text(f"Critical path of the {ms(wait)} that the client waited", "bold")
        yield _table(list(self._path_rows(wait)), options.ascii_only)
        whole = tree.extent[1] - tree.extent[0]
        yield text(f"Dark time: {ms(self._analysis.dark_ns)} of {ms(whole)}", "bold")
        yield _table(list(self._dark_rows(whole)), options.ascii_only)
        for line in (*self._late(), *self._analysis.notes):
            yield text(line, "yellow")
        for other in self._analysis.also:
            yield text(f"Also: {other.sentence}")
        if verdict := self._analysis.verdict:
            yield Text()
            yield text(verdict.sentence, "bold")

    def _path_rows(self, wait: int) -> Iterator[Row]:
        totals: dict[str, tuple[Span, int]] = {}
        for step in self._analysis.path:
            known = totals.get(step.span.span_id, (step.span, 0))[1]
            totals[step.span.span_id] = (step.span, known + step.duration_ns)
        for span, time in totals.values():
            yield ms(time), percent(time / wait if wait else 0.0), self._label(span)

    def _label(self, span: Span) -> str:
        """Enough to tell one `POST` from another."""
        tree = self._analysis.tree
        if callee := tree.callee(span):
            target = "" if callee.service in span.name.split() else f" to {callee.service}"
            return f"{display_name(span)} {span.name}{target} (dark)"
        if (storage := tree.storage(span)) and storage != span:
            return f"{span.service} {storage.name}: {span.name}{' to Cloud Storage' if span.kind == 'CLIENT' else ''}"
        outside = f" to {span.host}" if span.kind == "CLIENT" else ""
        return f"{display_name(span)} {span.name}{outside}"

    def _dark_rows(self, whole: int) -> Iterator[Row]:
        for gap in sorted(self._analysis.gaps, key=lambda gap: -gap.duration_ns):
            yield ms(gap.duration_ns), percent(gap.duration_ns / whole if whole else 0.0), gap.sentence

    def _late(self) -> Iterator[str]:
        entry, late = self._analysis.tree.entry_server, self._analysis.late_services
        if entry is None or not late or not self._analysis.abandoned:
            return
        who = " and ".join(
            f"{span.service} ({span.status or 'done'}, {ms(span.end_ns - entry.end_ns)} later)"
            for span in late
        )
        answered = ms(entry.end_ns - self._analysis.tree.extent[0])
        yield f"{entry.service} answered {entry.status} at {answered}. Nobody waited any more for {who}."


def _table(rows: list[Row], ascii_only: bool) -> Table:
    """The largest rows in their given order; the small ones are added up in words."""
    kept = set(
        sorted(range(len(rows)), key=lambda index: -float(rows[index][0].split()[0].replace(",", "")))[
            :_MAX_ROWS
        ]
    )
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for index, (time, share, label) in enumerate(rows):
        if index in kept:
            table.add_row("", Text(time), Text(share), Text(safe(label, ascii_only)))
    if len(rows) > len(kept):
        table.add_row("", "", "", Text(f"and {len(rows) - len(kept)} shorter ones"))
    return table
