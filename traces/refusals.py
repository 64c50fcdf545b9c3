"""Whether Cloud Run refused a request for want of an instance: said only where its own span or its request log says so."""

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


@dataclass(frozen=True)
class Refusals:
    """What Cloud Run's request logs say of requests that it refused because no instance was free."""

    entries: Entries

    def of(self, tree: Tree, span: Span) -> str:
        """The Cloud Run service that refused: of a platform's span without a server span, or of a call; else empty.

        A 429 alone is no proof for a call: a service may limit its callers itself, and need not keep the span of it.
        """
        if tree.callee(span) is not None:
            return ""
        if span.is_platform:
            told = self._request_logs(span, span.run_service)
            refused = any(_is_refusal(entry) for entry in told) or (span.http_status == 429 and not told)
            return (span.run_service or "a service") if refused else ""
        if span.kind != "CLIENT" or span.http_status not in (429, 500):
            return ""
        return next((run_service(entry) for entry in self._request_logs(span) if _is_refusal(entry)), "")

    def _request_logs(self, span: Span, service: str = "") -> list[Mapping[str, Any]]:
        """Of Cloud Run services, those written while the span ran; of `service` alone if it is given."""
        since, until = span.start_ns - _CLOCKS_NS, span.end_ns + _CLOCKS_NS
        return [
            entry
            for entry in self.entries
            if entry.get("httpRequest")
            and since <= instant(entry) <= until
            and (name := run_service(entry))
            and name == (service or name)
        ]


def is_ours(call: Span) -> bool:
    """Whether a call goes to a service of the stack, or to some Cloud Run service."""
    return call.kind == "CLIENT" and ("peer.service" in call.labels or call.host.endswith(".run.app"))


def _is_refusal(entry: Mapping[str, Any]) -> bool:
    return NO_INSTANCE in str(entry.get("textPayload"))
