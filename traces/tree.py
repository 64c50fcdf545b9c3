"""A trace as a tree, whatever arrives: lost parents, several roots, cycles, skewed clocks, children that outlive parents.

No recursion, so depth has no limit. Judges nothing: see criticalpath, darktime and verdict.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from traces.clocks import aligned
from traces.coldstart import place_starts
from traces.intervals import Interval, subtract
from traces.span import Span


class Tree:
    """The spans of one trace with their times aligned to their callers' clocks. Of an id met twice the fullest counts."""

    def __init__(self, spans: Iterable[Span]) -> None:
        known = _known(spans)
        ordered = sorted(known.values(), key=_by_start)
        parents = {span.span_id: span.parent_id if span.parent_id in known else "" for span in ordered}
        self.orphans: Sequence[Span] = [
            span for span in ordered if span.parent_id and not parents[span.span_id]
        ]
        _cut_cycles(parents)
        _adopt(ordered, parents, known)
        self._parents = parents
        parents_first = [span for _, span in _walk(ordered, parents)]
        self._spans, self.clock_shifts = aligned(parents_first, parents)
        self._starts = place_starts(self._spans, parents)
        self._started = {start.span_id: self._spans[server] for server, start in self._starts.items()}
        ordered = sorted(self._spans.values(), key=_by_start)
        self._children = _children(ordered, parents)
        self._walked = list(_walk(ordered, parents))
        self._roots, self._places = _places(self._walked, parents)
        self._storage = _storage_work(self._walked, self.parent)
        self.own = {
            span_id: subtract(
                (span.start_ns, span.end_ns), ((c.start_ns, c.end_ns) for c in self.children(span))
            )
            for span_id, span in self._spans.items()
        }
        """Per span id, the intervals in which none of its children ran."""

    def __len__(self) -> int:
        return len(self._spans)

    def walk(self) -> Iterator[tuple[int, Span]]:
        """Depth and span, parents before children, siblings and roots by start."""
        return iter(self._walked)

    def children(self, span: Span) -> Sequence[Span]:
        return self._children.get(span.span_id, ())

    def parent(self, span: Span) -> Span | None:
        return self._spans.get(self._parents[span.span_id])

    def get(self, span_id: str) -> Span | None:
        return self._spans.get(span_id)

    def self_ns(self, span: Span) -> int:
        """The span's time that none of its children covers."""
        return sum(end - start for start, end in self.own[span.span_id])

    @cached_property
    def extent(self) -> Interval:
        """From the first start to the last end; (0, 0) for an empty trace."""
        spans = self._spans.values()
        return (min((s.start_ns for s in spans), default=0), max((s.end_ns for s in spans), default=0))

    @cached_property
    def entry(self) -> Span | None:
        """Where the request came in: the first root, one that has lost its parent only if there is no other, a start last of all."""
        lost = {span.span_id for span in self.orphans}
        return min(
            (span for span in self._children.get("", ()) if span.span_id not in self._started),
            key=lambda span: (span.is_start, span.span_id in lost, *_by_start(span)),
            default=None,
        )

    @property
    def wait(self) -> Interval:
        """The client's: the entry and, where nothing above it says when the request came, the start of its instance."""
        entry = self.entry
        if entry is None:
            return (0, 0)
        return (self._starts.get(entry.span_id, entry).start_ns, entry.end_ns)

    @cached_property
    def entry_server(self) -> Span | None:
        """The application's own server span of the entry: its end is the client's answer."""
        entry = self.entry
        servers = (span for _, span in self.walk() if span.kind == "SERVER" and not span.is_platform)
        return next((span for span in servers if self.root(span) == entry), None)

    def root(self, span: Span) -> Span:
        return self._roots[span.span_id]

    def holds(self, above: Span, below: Span) -> bool:
        """Whether `below` is `above` or somewhere beneath it."""
        first, last = self._places[above.span_id]
        return first <= self._places[below.span_id][0] <= last

    def callee(self, span: Span) -> Span | None:
        """The server span that answers a CLIENT span or follows a platform span; the application's where there is one."""
        if span.kind != "CLIENT" and not span.is_platform:
            return None
        remote = [child for child in self.children(span) if child.kind == "SERVER" or child.is_platform]
        if not remote:
            return None
        behind = self.callee(remote[0]) if remote[0].is_platform and not span.is_platform else None
        return behind or remote[0]

    def start(self, server: Span) -> Span | None:
        """The start of the instance for which the request of a server span waited."""
        return self._starts.get(server.span_id)

    def started(self, span: Span) -> Span | None:
        """The server span for which `span` is the start of an instance."""
        return self._started.get(span.span_id)

    def cold(self, server: Span) -> bool:
        """Whether a server span's request waited for the start of its instance.

        The mark alone says no more than that it was the instance's first request: the instance may have been started
        ahead of it (docs/decisions/0033-the-start-of-an-instance.md).
        """
        start = self.start(server)
        return start is not None and start.duration_ns > 0

    def storage(self, span: Span) -> Span | None:
        """The outermost span, in the same service, of the storage work that `span` belongs to."""
        return self._storage.get(span.span_id)

    def abandoned(self, span: Span) -> Sequence[Span]:
        """Children that went on after `span` had given up on them: it failed, or it is a call without an answer."""
        gave_up = span.failed or (span.kind == "CLIENT" and span.http_status is None)
        return [child for child in self.children(span) if child.end_ns > span.end_ns] if gave_up else []


def _known(spans: Iterable[Span]) -> dict[str, Span]:
    """By id. A span that was exported twice, once before its end, counts as the longer; the order of arrival never does."""
    known: dict[str, Span] = {}
    for span in spans:
        other = known.get(span.span_id)
        if other is None or (other != span and _fullness(span) > _fullness(other)):
            known[span.span_id] = span
    return known


def _fullness(span: Span) -> tuple[object, ...]:
    return (span.end_ns, -span.start_ns, span.name, span.kind, span.parent_id, sorted(span.labels.items()))


def _by_start(span: Span) -> tuple[int, int, str]:
    return (span.start_ns, -span.end_ns, span.span_id)


def _children(ordered: Iterable[Span], parents: Mapping[str, str]) -> dict[str, list[Span]]:
    children: dict[str, list[Span]] = defaultdict(list)
    for span in ordered:
        children[parents[span.span_id]].append(span)
    return children


def _walk(ordered: Iterable[Span], parents: Mapping[str, str]) -> Iterator[tuple[int, Span]]:
    children = _children(ordered, parents)
    stack = [(0, root) for root in reversed(children.get("", ()))]
    while stack:
        depth, span = stack.pop()
        yield depth, span
        stack.extend((depth + 1, child) for child in reversed(children.get(span.span_id, ())))


def _places(
    walked: Sequence[tuple[int, Span]], parents: Mapping[str, str]
) -> tuple[dict[str, Span], dict[str, tuple[int, int]]]:
    """By span id: its root; and its place in the walk with that of the last span beneath it."""
    roots: dict[str, Span] = {}
    for _, span in walked:
        roots[span.span_id] = roots.get(parents[span.span_id], span)
    places: dict[str, tuple[int, int]] = {}
    ends: dict[str, int] = {}
    for place, (_, span) in reversed(list(enumerate(walked))):
        end = ends.get(span.span_id, place)
        places[span.span_id] = (place, end)
        ends.setdefault(parents[span.span_id], end)
    return roots, places


def _storage_work(
    walked: Iterable[tuple[int, Span]], parent_of: Callable[[Span], Span | None]
) -> dict[str, Span]:
    found: dict[str, Span] = {}
    for _, span in walked:
        parent = parent_of(span)
        around = found.get(parent.span_id) if parent and parent.service == span.service else None
        if span.kind != "SERVER" and (around or span.bucket):
            found[span.span_id] = around or span
    return found


def _cut_cycles(parents: dict[str, str]) -> None:
    """Make the first span met twice on the way up a root, so that every span is reachable from a root."""
    safe = {""}
    for start in parents:
        path: list[str] = []
        at, on_path = start, set[str]()
        while at not in safe:
            if at in on_path:
                parents[at] = ""
                break
            path.append(at)
            on_path.add(at)
            at = parents[at]
        safe.update(path)


def _adopt(ordered: Sequence[Span], parents: dict[str, str], known: Mapping[str, Span]) -> None:
    """Put the platform's span between a call and its callee.

    The application repairs its parent to the caller's span, so that both are children of the call; the platform's
    span, a little longer, would otherwise hide the callee.
    """
    beside: dict[str, Span] = {}
    for span in ordered:
        if span.is_platform and (caller := known.get(parents[span.span_id])) and caller.kind == "CLIENT":
            beside.setdefault(caller.span_id, span)
    for span in ordered:
        platform = beside.get(parents[span.span_id])
        if platform is not None and span.kind == "SERVER" and not span.is_platform:
            parents[span.span_id] = platform.span_id
