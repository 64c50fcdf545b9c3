"""One trace in a line, from its tree alone: who was asked, what the client waited for and got, and who took part.

Neither path nor verdict: a list asks this of ten thousand traces. `traces/record.py` says the same of what both say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from traces.intervals import Interval
from traces.record import client_status
from traces.span import Span
from traces.tone import Tone, is_failure, status_tone
from traces.tree import Tree


@dataclass(frozen=True)
class Outline:
    """`service` and `name` are the application's where it has sent a span; `wait` is the client's, in ns since the epoch.

    `status` is what the client got: an HTTP status, ERROR, or nothing. `services` are those at work, as they were called.
    `tone` warns of a request that was answered well although spans failed: these are `errors`.
    """

    service: str
    name: str
    wait: Interval
    status: str
    services: Sequence[str]
    errors: int

    @property
    def tone(self) -> Tone:
        answered = status_tone(self.status)
        return "warn" if answered in ("ok", "") and self.errors else answered


def outline(tree: Tree, entries: Sequence[Mapping[str, Any]] = ()) -> Outline | None:
    """`entries` are the log entries of the trace, of which its request logs count. None only for a trace without spans."""
    entry = tree.entry
    if entry is None:
        return None
    named = _named(tree, entry)
    own = [span for _, span in tree.walk() if not span.is_platform]
    return Outline(
        service=(named.run_service or "unknown") if named.is_platform else named.service,
        name=named.name,
        wait=tree.wait,
        status=str(client_status(tree, entries) or entry.status or named.status),
        services=list(dict.fromkeys(span.service for span in own if not span.is_start)),
        errors=sum(is_failure(span) for span in own),
    )


def _named(tree: Tree, entry: Span) -> Span:
    """The platform's span of the entry is named after the path; the application's says what was done."""
    return (tree.entry_server or entry) if entry.is_platform else entry
