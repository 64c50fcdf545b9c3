"""Calls that were made again because earlier attempts had failed."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

from traces.span import Span
from traces.tree import Tree


@dataclass(frozen=True)
class Retries:
    """Attempts at one call, in order; all but the last had failed before the next began."""

    caller: Span
    attempts: Sequence[Span]
    callee: str

    @property
    def duration_ns(self) -> int:
        """From the first attempt to the end of the last, the waits between them included."""
        return self.attempts[-1].end_ns - self.attempts[0].start_ns


def retries(tree: Tree) -> list[Retries]:
    """Every retried call of the trace, the longest first."""
    found = []
    for _, caller in tree.walk():
        calls: dict[tuple[str, ...], list[Span]] = defaultdict(list)
        for child in tree.children(caller):
            if child.kind == "CLIENT":
                calls[(child.name, child.host, urlsplit(child.url).path)].append(child)
        found += [Retries(caller, same, _called(tree, same)) for same in calls.values() if _in_turn(same)]
    return sorted(found, key=lambda group: -group.duration_ns)


def _in_turn(calls: Sequence[Span]) -> bool:
    in_turn = (earlier.failed and earlier.end_ns <= later.start_ns for earlier, later in pairwise(calls))
    return len(calls) > 1 and all(in_turn)


def _called(tree: Tree, attempts: Sequence[Span]) -> str:
    return next((callee.service for call in attempts if (callee := tree.callee(call))), attempts[0].host)
