"""One thing that was looked at, how it stands, and what mends it: what `verify` and `doctor` print, for people or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from traces.safetext import safe


@dataclass(frozen=True)
class Check:
    """`detail` says what was found, in one line; `remedy` is what mends it, a command where there is one, and empty if `ok`."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


class Checks:
    """Rich renderable: a line for each check, and the remedy under each that failed.

    Print it with `soft_wrap`, so that a remedy can be copied whole.
    """

    def __init__(self, checks: Iterable[Check]) -> None:
        self._checks = list(checks)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max((len(check.name) for check in self._checks), default=0)
        good, bad = ("ok  ", "FAIL") if options.ascii_only else ("✓", "✗")
        for check in self._checks:
            mark, style = (good, "green") if check.ok else (bad, "bold red")
            detail = safe(check.detail, options.ascii_only)
            yield Text.assemble((mark, style), f" {check.name:{width}}  ", detail)
            if check.remedy:
                remedy = safe(check.remedy, options.ascii_only)
                yield Text(" " * (len(mark) + width + 3) + remedy, style="yellow")


def all_ok(checks: Iterable[Check]) -> bool:
    """Whether none failed."""
    return all(check.ok for check in checks)


def as_json(checks: Sequence[Check]) -> str:
    """`{"ok": bool, "checks": [{"name", "ok", "detail", "remedy"}]}`, for automation."""
    return json.dumps({"ok": all_ok(checks), "checks": [asdict(check) for check in checks]}, indent=2)
