"""Requests that a figure follows one by one: their trace ids, and which of them every sampler must keep."""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """One request to be sent, and whether its last hop shall fail."""

    trace_id: int
    span_id: int
    fails: bool

    @property
    def hex_id(self) -> str:
        """The trace id as backends show it."""
        return f"{self.trace_id:032x}"

    @property
    def headers(self) -> dict[str, str]:
        """Its trace context, flagged as not sampled, as nearly all requests on Cloud Run are."""
        return {"traceparent": f"00-{self.hex_id}-{self.span_id:016x}-00"}

    def sampled(self, ratio: float) -> bool:
        """The rule of OpenTelemetry's TraceIdRatioBased: by the low 64 bits."""
        return (self.trace_id & ((1 << 64) - 1)) < round(ratio * (1 << 64))


def requests(count: int, fail_every: int, seed: int) -> list[Request]:
    """`count` requests of which every `fail_every`-th fails; the same for the same seed."""
    source = random.Random(seed)
    return [
        Request(source.getrandbits(128), source.getrandbits(64), index % fail_every == fail_every - 1)
        for index in range(count)
    ]
