"""Where a request's failure began, and whether Cloud Run refused it for want of an instance. Time is not judged here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from traces.logline import instant, run_service
from traces.span import Span
from traces.tree import Tree

Entries = Sequence[Mapping[str, Any]]
NO_INSTANCE = "no available instance"
"""Of the request log's text at 429 and 500: docs.cloud.google.com/run/docs/troubleshooting (abort-request, no-instance)."""
_CLOCKS_NS = 50 * 10**6


def origin(tree: Tree) -> Span | None:
    """For a request that failed, but not by its deadline: the last failed span on the way down."""
    span = entry = tree.entry
    if entry is None or span is None or not _unanswered(entry) or entry.timed_out:
        return None
    while failed := [child for child in tree.children(span) if _unanswered(child)]:
        span = max(failed, key=lambda child: (child.end_ns, child.span_id))
    return None if span.timed_out else span


@dataclass(frozen=True)
class Refusals:
    """What Cloud Run's request logs say of requests that it refused because no instance was free."""

    entries: Entries

    def of(self, tree: Tree, span: Span) -> str:
        """The Cloud Run service that refused: of a platform's span without a server span, or of a call; else empty."""
        if span.is_platform:
            refused = span.http_status == 429 or self._logged(span, span.run_service)
            return (span.run_service or "a service") if refused and tree.callee(span) is None else ""
        if span.kind != "CLIENT" or span.http_status not in (429, 500) or tree.callee(span) is not None:
            return ""
        ours = "peer.service" in span.labels or span.host.endswith(".run.app")
        return self._logged(span) or (span.target if ours and span.http_status == 429 else "")

    def _logged(self, span: Span, service: str = "") -> str:
        for entry in self.entries:
            if NO_INSTANCE not in str(entry.get("textPayload")):
                continue
            name = run_service(entry)
            during = span.start_ns - _CLOCKS_NS <= instant(entry) <= span.end_ns + _CLOCKS_NS
            if during and name == (service or name):
                return name
        return ""


def _unanswered(span: Span) -> bool:
    return span.failed or (span.http_status == 429 and (span.is_platform or span.kind == "CLIENT"))
