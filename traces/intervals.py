"""Sets of half-open time intervals in nanoseconds: just what the analysis of a trace needs."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

Interval = tuple[int, int]


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """The same instants as disjoint intervals in order; empty ones are dropped."""
    merged: list[Interval] = []
    for start, end in sorted(interval for interval in intervals if interval[0] < interval[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def subtract(whole: Interval, parts: Iterable[Interval]) -> list[Interval]:
    """What is left of `whole` without `parts`, in order."""
    left: list[Interval] = []
    cursor, until = whole
    for start, end in union(parts):
        if min(start, until) > cursor:
            left.append((cursor, min(start, until)))
        cursor = max(cursor, end)
    if cursor < until:
        left.append((cursor, until))
    return left


def total(intervals: Iterable[Interval]) -> int:
    """The summed length of disjoint intervals."""
    return sum(end - start for start, end in intervals)


def overlapping(disjoint: Sequence[Interval], within: Interval) -> Sequence[Interval]:
    """Of disjoint intervals in order, those that share an instant with `within`."""
    first = bisect_right(disjoint, within[0], key=lambda interval: interval[1])
    return disjoint[first : bisect_left(disjoint, within[1], key=lambda interval: interval[0])]
