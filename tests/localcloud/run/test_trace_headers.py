"""Reading and rewriting trace context; how it looks inside a container is in test_frontend.py."""

import pytest

from localcloud.run.trace_headers import Hop, Sampling, read_hop

TRACE = "abababababababababababababababab"
OTHER = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"


@pytest.mark.parametrize(
    ("headers", "trace_id", "parent_id"),
    [
        ({"traceparent": f"00-{TRACE}-bbbbbbbbbbbbbbbb-00"}, TRACE, "bbbbbbbbbbbbbbbb"),
        ({"traceparent": f"00-{TRACE}-bbbbbbbbbbbbbbbb-03"}, TRACE, "bbbbbbbbbbbbbbbb"),
        ({"traceparent": f"01-{TRACE}-bbbbbbbbbbbbbbbb-01-later"}, TRACE, "bbbbbbbbbbbbbbbb"),
        ({"X-Cloud-Trace-Context": f"{TRACE}/255;o=1"}, TRACE, "00000000000000ff"),
        ({"X-Cloud-Trace-Context": f"{TRACE.upper()}/255"}, TRACE, "00000000000000ff"),
        ({"X-Cloud-Trace-Context": TRACE}, TRACE, ""),
        ({"X-Cloud-Trace-Context": f"{TRACE}/0;o=1"}, TRACE, ""),
        ({"X-Cloud-Trace-Context": f"{TRACE}/99999999999999999999"}, TRACE, ""),
        (
            {
                "traceparent": f"00-{TRACE}-bbbbbbbbbbbbbbbb-00",
                "X-Cloud-Trace-Context": f"{OTHER}/255",
            },
            TRACE,
            "bbbbbbbbbbbbbbbb",
        ),
        ({"traceparent": "00-broken", "X-Cloud-Trace-Context": f"{OTHER}/255"}, OTHER, "00000000000000ff"),
    ],
)
def test_the_trace_id_is_kept_and_the_caller_is_the_parent(headers, trace_id, parent_id):
    hop = read_hop(headers)
    assert (hop.trace_id, hop.parent_id) == (trace_id, parent_id)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"traceparent": f"ff-{TRACE}-bbbbbbbbbbbbbbbb-01"},
        {"traceparent": f"00-{'0' * 32}-bbbbbbbbbbbbbbbb-01"},
        {"traceparent": f"00-{TRACE}-{'0' * 16}-01"},
        {"traceparent": f"00-{TRACE.upper()}-bbbbbbbbbbbbbbbb-01"},
        {"X-Cloud-Trace-Context": "0" * 32 + "/1;o=1"},
        {"X-Cloud-Trace-Context": "abc/1;o=1"},
    ],
)
def test_a_request_without_a_valid_context_starts_a_new_trace(headers):
    first, second = read_hop(headers), read_hop(headers)
    assert first.parent_id == ""
    assert len({first.trace_id, second.trace_id, TRACE, "0" * 32}) == 4


def test_both_headers_name_the_same_fresh_span_one_in_hex_one_in_decimal():
    """The pair captured in elastic/apm#609."""
    hop = Hop(TRACE, "bbbbbbbbbbbbbbbb", "a7b54b18ba85b13c")
    assert hop.headers(sampled=True) == {
        "traceparent": f"00-{TRACE}-a7b54b18ba85b13c-01",
        "X-Cloud-Trace-Context": f"{TRACE}/12084647744699216188;o=1",
    }
    assert hop.headers(sampled=False)["traceparent"].endswith("-00")
    assert hop.headers(sampled=False)["X-Cloud-Trace-Context"].endswith(";o=0")


def test_an_instance_samples_its_first_request_and_then_one_in_ten_seconds():
    now = iter([100.0, 100.1, 109.9, 110.0, 119.9, 131.0, 131.0])
    sampling = Sampling(10.0, lambda: next(now))
    assert [sampling.take() for _ in range(7)] == [True, False, False, True, False, True, False]
