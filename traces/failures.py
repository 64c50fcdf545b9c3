"""Where a request's failure began: a failure that was survived is not it, whatever came of it. Time is not judged here.

A trace does not say which failure caused which. The evidence is what a span tells of its own failure, and whether it
went on, with work or other calls, after the one below it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from traces.span import Span
from traces.tree import Tree

_AT_ONCE_NS, _SOON_NS = 10 * 10**6, 50 * 10**6
"""What the handling of an error may take, of one that a span tells otherwise and of any: who works longer survived it."""
_CLOCKS_NS = 50 * 10**6


@dataclass(frozen=True)
class Origin:
    """The span in which a failure began; `doubtful` failed below it, earlier, and may be the reason or not."""

    span: Span
    doubtful: Span | None = None


def origin(tree: Tree) -> Origin | None:
    """For a request that failed, but not by its deadline: the last span on the way down whose failure ended the one above."""
    span = tree.entry
    if span is None or not _unanswered(span) or span.timed_out:
        return None
    while child := _ended_by(tree, span):
        span = child
    return None if span.timed_out or _gave_up(tree, span) else Origin(span, _doubtful(tree, span))


def _ended_by(tree: Tree, span: Span) -> Span | None:
    failed = [child for child in tree.children(span) if _unanswered(child)]
    if span.kind == "CLIENT" or span.is_platform:
        return _last(child for child in failed if _is_answer(span, child))
    inside = [child for child in failed if child.end_ns <= span.end_ns + _CLOCKS_NS]
    # To be told that there is no such thing is often an answer like any other.
    refused = [child for child in inside if _is_refused(child) and not _tells_another(tree, span, child)]
    last = _last(child for child in inside if not _is_refused(child)) or _last(refused)
    return last if last and (_mentions(tree, span, last) or _stopped(tree, span, last)) else None


def _is_answer(call: Span, callee: Span) -> bool:
    """Whether what the callee ended with is what its caller got; one that had given up got nothing of it."""
    same = call.http_status is not None and call.http_status == callee.http_status
    return same or callee.end_ns <= call.end_ns + _CLOCKS_NS


def _doubtful(tree: Tree, span: Span) -> Span | None:
    """The last failure below it that it does not exclude by telling another one, and that no later call mended."""
    children = tree.children(span)
    answered = {(each.name, each.target): each.start_ns for each in children if not _unanswered(each)}
    return _last(
        child
        for child in children
        if _unanswered(child)
        and not _is_refused(child)
        and child.end_ns <= span.end_ns
        and not _tells_another(tree, span, child)
        and answered.get((child.name, child.target), 0) < child.end_ns
    )


def _stopped(tree: Tree, span: Span, child: Span) -> bool:
    """Whether it neither worked on after its child's failure nor called anything that answered; it may have waited."""
    own = tree.own[span.span_id]
    worked = sum(end - max(start, child.end_ns) for start, end in own if end > child.end_ns)
    if worked > (_AT_ONCE_NS if _tells_another(tree, span, child) else _SOON_NS):
        return False
    later = (other for other in tree.children(span) if other.start_ns >= child.end_ns)
    return all(_unanswered(other) and not _is_refused(other) for other in later)


def _gave_up(tree: Tree, span: Span) -> bool:
    """Whether it says timeout and stopped waiting for a call then: that has neither an answer nor an error."""
    return "timeout" in span.told.lower() and any(
        child.kind == "CLIENT"
        and child.http_status is None
        and not child.failed
        and abs(span.end_ns - child.end_ns) <= _SOON_NS
        for child in tree.children(span)
    )


def _mentions(tree: Tree, span: Span, child: Span) -> bool:
    """Whether the words for its failure are the child's own, or have the status or the name of who was called."""
    said, own = _words(span), _words(child)
    if not said:
        return False
    names = [str(child.http_status or "")]
    if child.kind == "CLIENT":
        callee = tree.callee(child)
        names += [child.target, callee.service if callee else ""]
    return (bool(own) and own in said) or any(
        name and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", said) for name in names
    )


def _tells_another(tree: Tree, span: Span, child: Span) -> bool:
    return bool(_words(span)) and not _mentions(tree, span, child)


def _words(span: Span) -> str:
    """What it says about its failure, other than the bare status that the conventions put there."""
    return "" if span.failure.isdigit() else span.failure


def _is_refused(span: Span) -> bool:
    return 400 <= (span.http_status or 0) < 500 and span.http_status != 429


def _unanswered(span: Span) -> bool:
    return span.failed or (span.http_status == 429 and (span.is_platform or span.kind == "CLIENT"))


def _last(spans: Iterable[Span]) -> Span | None:
    return max(spans, key=lambda span: (span.end_ns, span.span_id), default=None)
