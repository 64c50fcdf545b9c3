"""The head decision: by trace id and ratio alone, so that every service with the same ratio decides alike.

Cloud Run re-decides the sampled flag on every hop, at most one in 10 s, so obeying a parent (ParentBased, the SDK's
default) would lose nearly all traces. What the head drops is recorded all the same: `parts.py` may yet keep it.
"""

from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, TraceState, get_current_span
from opentelemetry.util.types import Attributes

_LOW_64_BITS = (1 << 64) - 1


class HeadSampler(Sampler):
    """For spans started by the API: kept or only recorded, never dropped, whatever their parent's flag."""

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        # The SDK's own rule and rounding: services that use its TraceIdRatioBased agree with us.
        self.bound = TraceIdRatioBased.get_bound_for_rate(ratio)

    def keeps(self, trace_id: int) -> bool:
        """Whether the ratio keeps this trace."""
        return trace_id & _LOW_64_BITS < self.bound

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """RECORD_AND_SAMPLE within the ratio, else RECORD_ONLY."""
        decision = Decision.RECORD_AND_SAMPLE if self.keeps(trace_id) else Decision.RECORD_ONLY
        parent = get_current_span(parent_context).get_span_context()
        return SamplingResult(decision, attributes, parent.trace_state if parent.is_valid else None)

    def get_description(self) -> str:
        """Name and ratio."""
        return f"HeadSampler{{{self._ratio}}}"
