"""app/telemetry/sampling.py: by trace id and ratio, whatever the flag, and never without a record."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from app.telemetry.sampling import HeadSampler

TRACE_IDS = st.integers(1, (1 << 128) - 1)
BORDERS = st.sampled_from([0.0, 1e-20, 0.1, 0.5, 1 - 2**-53, 1.0])
FLAGS = st.integers(0, 255).map(TraceFlags)


@st.composite
def near_the_bound(draw: st.DrawFn) -> tuple[float, int]:
    """A ratio, and a trace id whose low half is just where the decision turns."""
    ratio = draw(BORDERS | st.floats(0, 1))
    low = HeadSampler(ratio).bound + draw(st.integers(-2, 2))
    return ratio, draw(st.integers(1, (1 << 64) - 1)) << 64 | max(0, min(low, (1 << 64) - 1))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.tuples(BORDERS | st.floats(0, 1), TRACE_IDS) | near_the_bound())
def test_it_decides_as_the_sdk_s_ratio_sampler_does(given: tuple[float, int]) -> None:
    """So a service that uses that one, in any language, keeps the same traces."""
    ratio, trace_id = given
    theirs = TraceIdRatioBased(ratio).should_sample(None, trace_id, "n").decision
    assert HeadSampler(ratio).keeps(trace_id) is (theirs is Decision.RECORD_AND_SAMPLE)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(TRACE_IDS, BORDERS, FLAGS, st.booleans())
def test_a_parent_s_flag_changes_nothing_and_nothing_is_dropped_unrecorded(
    trace_id: int, ratio: float, flags: TraceFlags, remote: bool
) -> None:
    sampler = HeadSampler(ratio)
    parent = SpanContext(trace_id, 7, remote, flags, TraceState([("a", "1")]))
    within = trace.set_span_in_context(NonRecordingSpan(parent), Context())
    child, root = (
        sampler.should_sample(context, trace_id, "n", attributes={"k": 1}) for context in (within, Context())
    )
    expected = Decision.RECORD_AND_SAMPLE if sampler.keeps(trace_id) else Decision.RECORD_ONLY
    assert child.decision is root.decision is expected
    assert child.attributes == root.attributes == {"k": 1}
    assert child.trace_state == parent.trace_state, "a vendor's state goes on with its trace"
    assert not root.trace_state


@pytest.mark.parametrize(("ratio", "kept"), [(0.0, 0), (1.0, 1000)])
def test_none_and_all_are_exact(ratio: float, kept: int) -> None:
    sampler = HeadSampler(ratio)
    assert sum(sampler.keeps((n * 0x9E3779B97F4A7C15) % (1 << 64)) for n in range(1, 1001)) == kept


def test_it_says_what_it_is() -> None:
    assert HeadSampler(0.1).get_description() == "HeadSampler{0.1}"
