"""What the front end makes of a request's trace context: trace id kept, parent replaced, sampled flag decided anew.

platform-facts 2.1: elastic/apm#609 (raw capture), cloud.google.com/run/docs/trace. tracestate and custom headers are not touched.
"""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?"
)
_CLOUD_TRACE = re.compile(r"(?!0{32})([0-9a-fA-F]{32})(?:/(\d{1,20}))?(?:;.*)?")


@dataclass(frozen=True)
class Hop:
    """One passage through a front end; `parent_id` is the caller's span ("" if it named none), `span_id` the platform's own."""

    trace_id: str
    parent_id: str
    span_id: str = field(default_factory=lambda: secrets.token_hex(8))

    def headers(self, *, sampled: bool) -> dict[str, str]:
        """Both headers as the container gets them: the span id in hex and, in Google's own header, in decimal."""
        return {
            "traceparent": f"00-{self.trace_id}-{self.span_id}-{sampled:02x}",
            "X-Cloud-Trace-Context": f"{self.trace_id}/{int(self.span_id, 16)};o={sampled:d}",
        }


def read_hop(headers: Mapping[str, str]) -> Hop:
    """The hop of a request: traceparent first, else X-Cloud-Trace-Context, else a new trace."""
    if match := _TRACEPARENT.fullmatch(headers.get("traceparent", "").strip()):
        return Hop(match[1], match[2])
    if match := _CLOUD_TRACE.fullmatch(headers.get("X-Cloud-Trace-Context", "").strip()):
        parent = int(match[2] or 0)
        return Hop(match[1].lower(), f"{parent:016x}" if 0 < parent < 2**64 else "")
    return Hop(secrets.token_hex(16), "")


class Sampling:
    """One instance's budget of sampled requests: the first, then at most one per `interval` seconds.

    Google documents up to 10/s for requests that force a trace. The incoming flag is not obeyed here: captures between
    services show Cloud Run's span almost never uploaded although callers sent flag 1 (chainguard-dev/go-grpc-kit#268), and
    an app that is whole without the platform's spans is also whole with them.
    """

    def __init__(self, interval: float, clock: Callable[[], float]) -> None:
        self._interval = interval
        self._clock = clock
        self._next = float("-inf")

    def take(self) -> bool:
        """Whether the request at hand is sampled."""
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + self._interval
        return True
