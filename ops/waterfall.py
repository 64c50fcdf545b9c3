"""The waterfall of a trace for a terminal of any width: a row per span with a bar, logs, and the caller's deadline.

Draws only; all text of spans and logs passes `safe` and is never read as markup.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from ops.bars import Mark, bar, cell_of
from ops.glyphs import ASCII, UNICODE, Glyphs
from traces.analysis import Analysis
from traces.logline import LogLine, placed
from traces.quantities import ms
from traces.safetext import safe
from traces.span import Span

_COLOURS = ("cyan", "green", "blue", "yellow", "magenta", "bright_cyan", "bright_green", "bright_blue")
_LOG_COLOURS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red", "ALERT": "red", "EMERGENCY": "red"}
_DEEPEST = 16
_MAX_SERVICE, _STATUS, _MIN_NAME, _MIN_BAR = 14, 6, 12, 12


@dataclass(frozen=True)
class _Layout:
    """Widths in cells, and the instants that the bars span."""

    extent: tuple[int, int]
    service: int
    name: int
    number: int
    bar: int
    decimals: int
    glyphs: Glyphs

    @property
    def before_bar(self) -> int:
        return 2 + self.service + 1 + self.name + 3 * (1 + self.number) + 1 + _STATUS + 1

    def time(self, nanoseconds: int) -> str:
        return f"{nanoseconds / 1e6:,.{self.decimals}f}".rjust(self.number)

    def fit(self, text: str, width: int) -> str:
        text = safe(text, self.glyphs is ASCII)
        return (
            set_cell_size(text, width)
            if cell_len(text) <= width
            else set_cell_size(text, width - 1) + self.glyphs.cut
        )


class Waterfall:
    """Rich renderable of one analysis; at most `max_logs` log lines under each span."""

    def __init__(self, analysis: Analysis, max_logs: int = 5) -> None:
        self._analysis = analysis
        self._tree = analysis.tree
        self._max_logs = max_logs
        self._critical = {step.span.span_id for step in analysis.path}
        names = dict.fromkeys(span.service for _, span in self._tree.walk())
        self._colours = {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(names)}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        layout = self._layout(options.max_width, ASCII if options.ascii_only else UNICODE)
        yield self._title(layout)
        for line in self._lines(layout):
            line.no_wrap, line.overflow = True, "crop"
            line.rstrip()
            yield line
        yield self._legend(layout)

    def _layout(self, width: int, glyphs: Glyphs) -> _Layout:
        extent = self._tree.extent
        decimals = 0 if extent[1] - extent[0] >= 10**9 else 1
        number = max(5, len(f"{(extent[1] - extent[0]) / 1e6:,.{decimals}f}"))
        service = min(
            _MAX_SERVICE, max((cell_len(safe(name)) for name in (*self._colours, "service")), default=0)
        )
        wanted = max(
            (min(depth, _DEEPEST) + cell_len(safe(span.name)) + 2 for depth, span in self._tree.walk()),
            default=0,
        )
        left = width - (2 + service + 1 + 3 * (1 + number) + 1 + _STATUS + 1)
        name = max(_MIN_NAME, min(wanted, left * 3 // 5, left - _MIN_BAR))
        return _Layout(extent, service, name, number, max(_MIN_BAR, left - name), decimals, glyphs)

    def _lines(self, layout: _Layout) -> Iterator[Text]:
        yield self._header(layout)
        logs, rest = placed(self._tree, self._analysis.entries)
        for depth, span in self._tree.walk():
            yield self._row(layout, depth, span)
            yield from self._logs(layout, depth, logs.get(span.span_id, ()))
        if deadline := self._analysis.deadline:
            yield self._deadline(layout, deadline)
        if rest:
            yield Text("  logs of spans that are not in the trace", style="dim")
            yield from self._logs(layout, 0, rest)

    def _title(self, layout: _Layout) -> Text:
        trace, arrow = self._analysis.trace, f" {layout.glyphs.arrow} "
        took = ms(layout.extent[1] - layout.extent[0])
        applications = dict.fromkeys(span.service for _, span in self._tree.walk() if not span.is_platform)
        services = safe(arrow.join(applications), layout.glyphs is ASCII)
        return Text.assemble(
            (f"Trace {safe(trace.trace_id)}", "bold"), f"  {took}, {len(self._tree)} spans, {services}"
        )

    def _header(self, layout: _Layout) -> Text:
        columns = " ".join(f"{title:>{layout.number}}" for title in ("start", "ms", "self"))
        title = f"  {'service':{layout.service}} {'span':{layout.name}} {columns} {'status':{_STATUS}}"
        return Text(f"{title} 0{ms(layout.extent[1] - layout.extent[0]):>{layout.bar - 1}}", style="dim")

    def _row(self, layout: _Layout, depth: int, span: Span) -> Text:
        colour, glyphs = self._colours[span.service], layout.glyphs
        indent = " " * (min(depth, _DEEPEST) - 1) + glyphs.branch if depth else ""
        times = (span.start_ns - layout.extent[0], span.duration_ns, self._tree.self_ns(span))
        return Text.assemble(
            (f"{glyphs.critical} " if span.span_id in self._critical else "  ", "bold"),
            (layout.fit(span.service, layout.service), colour),
            f" {layout.fit(indent + span.name, layout.name)} ",
            " ".join(layout.time(time) for time in times),
            (f" {layout.fit(span.status, _STATUS)} ", "bold red" if span.failed else ""),
            *self._bar(layout, span, colour),
        )

    def _bar(self, layout: _Layout, span: Span, colour: str) -> Iterator[tuple[str, str]]:
        own: Mark = "dark" if self._tree.callee(span) else "self"
        parts: list[tuple[int, int, Mark]] = [
            (start, end, own) for start, end in self._tree.own[span.span_id]
        ]
        parts += [
            (max(c.start_ns, span.start_ns), min(c.end_ns, span.end_ns), "wait")
            for c in self._tree.children(span)
        ]
        parts = [part for part in parts if part[0] < part[1]] or [(span.start_ns, span.end_ns, "self")]
        styles = {"self": colour, "dark": "bold red", "wait": f"dim {colour}"}
        deadline = self._analysis.deadline
        line = cell_of(deadline.end_ns, layout.extent, layout.bar) if deadline else None
        for cell, mark in enumerate(bar(layout.extent, layout.bar, parts)):
            if cell == line:
                yield layout.glyphs.line, "bold red"
            else:
                yield (layout.glyphs.marks[mark], styles[mark]) if mark else (" ", "")

    def _logs(self, layout: _Layout, depth: int, lines: Sequence[LogLine]) -> Iterator[Text]:
        margin = " " * (2 + layout.service + 1 + min(depth, _DEEPEST) + 1)
        width = max(10, layout.before_bar + layout.bar - len(margin))
        for line in lines[: self._max_logs]:
            at = layout.time(line.at_ns - layout.extent[0]).strip() if line.at_ns else "-"
            severity = "" if line.severity == "DEFAULT" else f"{line.severity} "
            text = layout.fit(f"{layout.glyphs.log} {at} {severity}{line.message}", width)
            yield Text(margin + text, style=_LOG_COLOURS.get(line.severity, "dim"))
        if len(lines) > self._max_logs:
            yield Text(
                f"{margin}{layout.glyphs.log} and {len(lines) - self._max_logs} more log lines", style="dim"
            )

    def _deadline(self, layout: _Layout, span: Span) -> Text:
        at = ms(span.end_ns - layout.extent[0])
        entry = span == self._tree.entry_server
        what = (
            f"{span.status} sent to the client here, at {at}"
            if entry
            else f"{span.service} gave up here, at {at}"
        )
        column = layout.before_bar + cell_of(span.end_ns, layout.extent, layout.bar)
        text = f"{safe(what, layout.glyphs is ASCII)} {layout.glyphs.corner}"
        return Text(text.rjust(column + 1), style="bold red")

    def _legend(self, layout: _Layout) -> Text:
        glyphs = layout.glyphs
        parts = [
            f"{glyphs.critical} critical path",
            f"{glyphs.marks['self']} self",
            f"{glyphs.marks['wait']} waiting",
        ]
        parts += [f"{glyphs.marks['dark']} dark: no span explains it", f"{glyphs.log} log"]
        return Text("  " + "   ".join(parts), style="dim")
