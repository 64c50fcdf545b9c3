"""The proportional bar of one span: which mark each character cell gets. Knows no colours and no spans."""

from collections.abc import Iterable
from typing import Literal

from traces.intervals import Interval

Mark = Literal["self", "dark", "wait"]
_ORDER: tuple[Mark, ...] = ("self", "dark", "wait")


def cell_of(at: int, extent: Interval, width: int) -> int:
    """The cell, 0 to width - 1, that the instant `at` falls into."""
    start, end = extent
    return max(0, min(width - 1, (at - start) * width // max(1, end - start)))


def bar(extent: Interval, width: int, parts: Iterable[tuple[int, int, Mark]]) -> list[Mark | None]:
    """One mark per cell: the one that fills most of it; None where the span was not running.

    A part shorter than a cell still shows if nothing longer shares its cell, so that no span is invisible.
    """
    step = max(1, extent[1] - extent[0]) / width
    filled: list[dict[Mark, float]] = [{} for _ in range(width)]
    for start, end, mark in parts:
        for cell in range(cell_of(start, extent, width), cell_of(max(start, end - 1), extent, width) + 1):
            left = extent[0] + cell * step
            inside = min(end, left + step) - max(start, left)
            filled[cell][mark] = filled[cell].get(mark, 0.0) + max(inside, 0.0)
    return [_most(marks) for marks in filled]


def _most(marks: dict[Mark, float]) -> Mark | None:
    if not marks:
        return None
    return max(_ORDER, key=lambda mark: marks.get(mark, -1.0))
