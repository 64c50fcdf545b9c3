"""Which traces are kept: by trace id and ratio alone.

Cloud Run re-decides the sampled flag on every hop, at most one in 10 s, so obeying a parent (ParentBased, the SDK's
default) would lose nearly all traces. By id, all services with one ratio agree whatever flag arrives.
"""

from opentelemetry.sdk.trace.sampling import Sampler, TraceIdRatioBased


def by_trace_id(ratio: float) -> Sampler:
    """Keeps the share `ratio` of traces; the same for root spans, remote and local parents."""
    return TraceIdRatioBased(ratio)
