"""The characters of the drawings, in two sets: for UTF-8 terminals and for all others."""

from dataclasses import dataclass

from ops.bars import Mark


@dataclass(frozen=True)
class Glyphs:
    """`marks` are the bar's; the others stand for themselves."""

    marks: dict[Mark, str]
    critical: str
    branch: str
    log: str
    line: str
    corner: str
    arrow: str
    cut: str


UNICODE = Glyphs({"self": "█", "dark": "░", "wait": "─"}, "●", "└", "·", "┊", "┘", "→", "…")
ASCII = Glyphs({"self": "#", "dark": "?", "wait": "-"}, "*", "`", ".", "|", "'", "->", "~")
