"""app/telemetry/propagation.py: one trace over any front end, nothing for a stranger, and no header that does harm."""

import re
import socket
from collections.abc import Mapping
from typing import Any

import pytest
from conftest import Memory, Start
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.asgi import asgi_getter
from opentelemetry.propagators.cloud_trace_propagator import CloudTraceFormatPropagator
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.telemetry.propagation import (
    Arrived,
    CloudRunPropagator,
    arrived,
    is_kept,
    outgoing_headers,
    response_header,
    trace_id,
)
from app.telemetry.propagation import (
    read as read_headers,
)

TRACE, OTHER = "ab" * 16, "cd" * 16
PLATFORM, CALLER = "b" * 16, "a" * 16
DECIMAL = int(PLATFORM, 16)
W3C_0, W3C_1 = f"00-{TRACE}-{PLATFORM}-00", f"00-{TRACE}-{PLATFORM}-01"
ORIGINAL = f"00-{TRACE}-{CALLER}-01"
NAMES = {
    "parent": "traceparent",
    "state": "tracestate",
    "google": "x-cloud-trace-context",
    "original": "x-original-traceparent",
}


def read(headers: Mapping[str, str | bytes], *, public: bool) -> Arrived:
    raw = {
        NAMES[key].encode(): value if isinstance(value, bytes) else value.encode()
        for key, value in headers.items()
    }
    return arrived(raw, public=public)


def seen(found: Arrived) -> tuple[str | None, str | None]:
    """Trace and parent in hexadecimal; None for none."""
    assert found.parent is None or found.parent.trace_id == found.trace_id
    assert found.parent is None or found.parent.is_remote
    return (
        f"{found.trace_id:032x}" if found.trace_id else None,
        f"{found.parent.span_id:016x}" if found.parent else None,
    )


@pytest.mark.parametrize(
    ("headers", "public", "expected", "parent"),
    [
        pytest.param({"parent": W3C_1}, True, TRACE, PLATFORM, id="a sampled platform parent is kept"),
        pytest.param({"parent": f"00-{TRACE}-{PLATFORM}-03"}, True, TRACE, PLATFORM, id="bit 0 of 03"),
        pytest.param({"parent": f"00-{TRACE}-{PLATFORM}-ff"}, True, TRACE, PLATFORM, id="bit 0 of ff"),
        pytest.param({"parent": W3C_0}, True, TRACE, None, id="an unsampled one leaves a root"),
        pytest.param({"parent": f"00-{TRACE}-{PLATFORM}-02"}, True, TRACE, None, id="bit 0 of 02"),
        pytest.param({"parent": f"00-{TRACE}-{PLATFORM}-fe"}, True, TRACE, None, id="bit 0 of fe"),
        pytest.param({"parent": f"01-{TRACE}-{PLATFORM}-01-more"}, True, TRACE, PLATFORM, id="a later version"),
        pytest.param({"parent": W3C_0}, False, TRACE, None, id="so too on a private service"),
        pytest.param({"parent": W3C_0, "original": ORIGINAL}, False, TRACE, CALLER, id="repair"),
        pytest.param({"parent": W3C_1, "original": ORIGINAL}, False, TRACE, CALLER, id="always"),
        pytest.param({"parent": W3C_0, "original": ORIGINAL}, True, TRACE, None, id="not in public"),
        pytest.param({"parent": W3C_1, "original": ORIGINAL}, True, TRACE, PLATFORM, id="nor here"),
        pytest.param({"original": ORIGINAL}, False, None, None, id="alone it says nothing"),
        pytest.param(
            {"parent": W3C_1, "original": f"00-{OTHER}-{CALLER}-01"},
            False, TRACE, PLATFORM, id="another trace's parent is not ours",
        ),
        pytest.param({"google": f"{TRACE}/{DECIMAL};o=1"}, True, TRACE, PLATFORM, id="Google only"),
        pytest.param({"google": f"{TRACE}/{DECIMAL};o=0"}, True, TRACE, None, id="Google unsampled"),
        pytest.param({"google": f"{TRACE}/{DECIMAL}"}, True, TRACE, None, id="Google without option"),
        pytest.param({"google": TRACE}, True, TRACE, None, id="Google trace only"),
        pytest.param({"google": f"{TRACE};o=1"}, True, TRACE, None, id="Google trace and option"),
        pytest.param({"parent": W3C_1, "google": f"{OTHER}/{DECIMAL};o=1"}, True, TRACE, PLATFORM, id="W3C wins"),
        pytest.param(
            {"parent": f"01-{TRACE}-{PLATFORM}-01", "google": f"{OTHER}/{DECIMAL};o=1"},
            True, TRACE, PLATFORM, id="W3C wins in later versions too",
        ),
        pytest.param(
            {"parent": f"00-{'0' * 32}-{PLATFORM}-01", "google": f"{OTHER}/{DECIMAL};o=1"},
            True, OTHER, PLATFORM, id="unless it is invalid",
        ),
        pytest.param(
            {"google": f"{TRACE}/{DECIMAL};o=0", "original": ORIGINAL},
            False, TRACE, CALLER, id="repair under the Google header",
        ),
        pytest.param({"google": TRACE, "original": ORIGINAL}, False, TRACE, CALLER, id="and without a span in it"),
        pytest.param(
            {"parent": W3C_1, "google": f"{TRACE}/1;o={'9' * 5000}"},
            True, TRACE, PLATFORM, id="a hostile Google header does not hide W3C",
        ),
    ],
)  # fmt: skip
def test_whose_child_an_entry_is(
    headers: dict[str, str | bytes], public: bool, expected: str | None, parent: str | None
) -> None:
    assert seen(read(headers, public=public)) == (expected, parent)
    raw = [(NAMES[key].encode(), str(value).encode()) for key, value in headers.items()]
    context = CloudRunPropagator(public=public).extract({"headers": raw}, getter=asgi_getter)
    span = trace.get_current_span(context).get_span_context()
    assert (f"{span.span_id:016x}" if span.is_valid else None) == parent, "so for any carrier"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"parent": "garbage"},
        {"parent": f"00-{'0' * 32}-{PLATFORM}-01"},
        {"parent": f"00-{TRACE}-{'0' * 16}-01"},
        {"parent": f"ff-{TRACE}-{PLATFORM}-01"},
        {"parent": f"00-{TRACE.upper()}-{PLATFORM}-01"},
        {"parent": f"00-{TRACE}-{PLATFORM}-01-more"},
        {"parent": "0" * 100_000},
        {"parent": b"\xff\\x"},
        {"google": b"\xff\\x"},
        {"google": f"{TRACE}/{'9' * 20};o={'9' * 5000}"},
        {"google": f"{TRACE}/{1 << 64};o=1"},
        {"google": f"{TRACE}/\u0661;o=1"},
        {"google": f"{'0' * 32}/1;o=1"},
        {"google": "/" * 60_000},
        {"parent": "", "state": "=" * 9000},
    ],
    ids=lambda headers: str(headers)[:60],
)
def test_malformed_huge_and_hostile_headers_say_nothing(headers: dict[str, str | bytes]) -> None:
    assert read(headers, public=False) == Arrived(0, True, None)


@pytest.mark.parametrize(
    "original",
    [b"\xff\\x", b"garbage", f"00-{TRACE}-{'0' * 16}-01".encode(), b"x" * 100_000, ORIGINAL.encode() + b"-x"],
)
def test_a_bad_original_header_changes_nothing(original: bytes) -> None:
    assert seen(read({"parent": W3C_1, "original": original}, public=False)) == (TRACE, PLATFORM)


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        (b"a=1,b=2", "a=1,b=2"),
        (b" a=1 ,, ", "a=1"),
        (b"a=1,a=2", ""),
        (b"\xff=1", ""),
        (b"=" * 60_000, ""),
        (b",".join(b"k%d=%s" % (number, b"v" * 200) for number in range(30)), ""),
    ],
)
def test_tracestate_goes_with_its_parent_unless_it_is_malformed_or_longer_than_512_bytes(
    state: bytes, kept: str
) -> None:
    """It is sent on with every call and is part of every span: a stranger must not make those large."""
    found = read({"parent": W3C_1, "state": state}, public=True)
    assert found.parent is not None
    assert found.parent.trace_state.to_header() == kept


# Headers that are nearly right are more dangerous than noise.
IDS = st.sampled_from([TRACE, OTHER, "0" * 32, TRACE.upper(), f"{5:032x}"])
SPANS = st.sampled_from([PLATFORM, CALLER, "0" * 16, f"{7:016x}"])
FLAGS = st.integers(0, 255)
TRACEPARENT = st.builds(
    "{}-{}-{}-{:02x}{}".format,
    st.sampled_from(["00", "00", "00", "01", "cc", "ff", "0"]),
    IDS, SPANS, FLAGS, st.sampled_from(["", "", "", "-x", " ", "\n"]),
).map(str.encode)  # fmt: skip
GOOGLE = st.builds(
    "{}{}{}".format,
    IDS,
    st.sampled_from(["", "/", f"/{DECIMAL}", "/7", "/0", f"/{1 << 64}", "/" + "9" * 30]),
    st.sampled_from(["", ";o=1", ";o=0", ";o=3", ";o=", ";o=" + "9" * 5000, ";o=x"]),
).map(str.encode)
STATES = st.binary(max_size=20) | st.sampled_from([b"", b"a=1", b"a=1,b=2", b"a", b"," * 600])
NOISE = st.binary(max_size=80) | st.just(b"") | st.just(b"x" * 600)


def released(parent: bytes, google: bytes) -> SpanContext | None:
    """What the released propagators make of them, W3C before Google."""
    carrier = {"traceparent": parent.decode("latin-1"), "x-cloud-trace-context": google.decode("latin-1")}
    for propagator in (TraceContextTextMapPropagator(), CloudTraceFormatPropagator()):
        try:
            context = propagator.extract(carrier, Context())
        except ValueError:
            continue
        found = trace.get_current_span(context).get_span_context()
        if found.is_valid:
            return found
    return None


@settings(max_examples=500, deadline=None, derandomize=True)
@given(TRACEPARENT | NOISE, STATES, GOOGLE | NOISE, TRACEPARENT | NOISE, st.booleans())
@example(W3C_0.encode(), b"", b"", f"00-{TRACE}-{CALLER}-ff".encode(), False)
def test_whatever_the_headers_are_nothing_is_raised_and_no_other_trace_is_joined(
    parent: bytes, state: bytes, google: bytes, original: bytes, public: bool
) -> None:
    given = {"parent": parent, "state": state, "google": google, "original": original}
    found = read(given, public=public)
    assert trace_id(read_headers([(b"host", b"x"), (b"traceparent", parent)])) in (0, found.trace_id), (
        "the server decides by it before it reads the rest"
    )
    expected = released(parent, google)
    caller = released(original, b"") if original.startswith(b"00-") else None
    if expected is None:
        named = re.match(rb"[0-9a-f]{32}", google)
        assert found.trace_id in {0, int(named[0], 16) if named else 0}, (
            "Google's may name a trace without a span"
        )
    else:
        assert (found.trace_id, found.random) == (expected.trace_id, expected.trace_flags & 2 != 0)
    if found.parent is None:
        return
    assert found.parent.trace_id == found.trace_id
    flags = expected.trace_flags & 3 if expected else 0
    assert found.parent.trace_flags == flags, "the flag is the delivered one, never the original's"
    restored = expected is None or found.parent.span_id != expected.span_id
    if restored or not flags & 1:
        assert not public
        assert caller is not None
        assert (caller.trace_id, caller.span_id) == (found.trace_id, found.parent.span_id)


CONTEXTS = st.builds(
    SpanContext,
    st.integers(1, (1 << 128) - 1),
    st.integers(1, (1 << 64) - 1),
    st.booleans(),
    st.integers(0, 3).map(TraceFlags),
    st.sampled_from([None, TraceState(), TraceState([("a", "1"), ("b", "2")])]),
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(CONTEXTS)
def test_a_call_carries_what_the_released_propagators_would_write_and_the_original_beside_it(
    context: SpanContext,
) -> None:
    within = trace.set_span_in_context(NonRecordingSpan(context), Context())
    expected: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(expected, within)
    CloudTraceFormatPropagator().inject(expected, within)
    expected["x-original-traceparent"] = expected["traceparent"]
    written: dict[str, str] = {}
    CloudRunPropagator(public=True).inject(written, within)
    assert written == outgoing_headers(context) == expected
    assert set(written) <= CloudRunPropagator(public=True).fields


@settings(max_examples=100, deadline=None, derandomize=True)
@given(CONTEXTS, st.integers(0, 3).map(TraceFlags), st.integers(1, (1 << 64) - 1))
def test_the_next_service_is_the_caller_s_child_whatever_the_front_end_makes_of_the_flag(
    context: SpanContext, delivered: TraceFlags, platform: int
) -> None:
    """The front end keeps the trace id, replaces the span id and decides the flag anew."""
    sent = {key: value.encode() for key, value in outgoing_headers(context).items()}
    replaced = f"00-{context.trace_id:032x}-{platform:016x}-{delivered:02x}".encode()
    found = read({"parent": replaced, "original": sent["x-original-traceparent"]}, public=False)
    assert found.parent is not None
    assert (found.parent.trace_id, found.parent.span_id) == (context.trace_id, context.span_id)
    assert found.parent.trace_flags == delivered


def test_outside_a_trace_nothing_is_written() -> None:
    carrier: dict[str, str] = {}
    CloudRunPropagator(public=True).inject(carrier, Context())
    assert carrier == {}


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (response_header(SpanContext(int(TRACE, 16), 7, False, TraceFlags(0))), True),
        (response_header(SpanContext(int(TRACE, 16), 7, False, TraceFlags(3))), True),
        (response_header(SpanContext(int(OTHER, 16), 7, False, TraceFlags(1))), False),
        (W3C_1, True),
        (W3C_0, False),
        (W3C_1 + "-x", False),
        ("\xff\u20ac", False),
        ("", False),
        (None, False),
    ],
)
def test_a_traceresponse_is_believed_for_this_trace_only(header: str | None, kept: bool) -> None:
    assert is_kept(header, int(TRACE, 16)) is kept


def got(spans: Memory) -> ReadableSpan:
    (span,) = spans.get_finished_spans()
    return span


def ask_raw(url: str, lines: list[bytes]) -> bytes:
    """The status of a request with exactly these header lines."""
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=5) as raw:
        head = [b"GET /nowhere HTTP/1.1", b"host: x", b"connection: close", *lines]
        raw.sendall(b"\r\n".join(head) + b"\r\n\r\n")
        return raw.recv(4096).split()[1]


TWICE = b"traceparent: " + W3C_1.encode()
GOOGLES = f"X-Cloud-Trace-Context: {OTHER}/{DECIMAL};o=1".encode()
ORIGINALS = b"x-original-traceparent: " + ORIGINAL.encode()


@pytest.mark.parametrize(
    ("lines", "expected", "parent"),
    [
        pytest.param([TWICE], TRACE, PLATFORM, id="once"),
        pytest.param([TWICE.upper()[:11] + TWICE[11:]], TRACE, PLATFORM, id="in capitals"),
        pytest.param([TWICE, TWICE], None, None, id="the same twice"),
        pytest.param([TWICE, b"traceparent: x", TWICE], None, None, id="three times"),
        pytest.param([TWICE, b"TraceParent: " + W3C_0.encode()], None, None, id="two that differ"),
        pytest.param([TWICE, TWICE, GOOGLES], OTHER, PLATFORM, id="twice, and Google's once"),
        pytest.param([GOOGLES, GOOGLES], None, None, id="Google's twice"),
        pytest.param([TWICE, ORIGINALS], TRACE, CALLER, id="the original once"),
        pytest.param([TWICE, ORIGINALS, ORIGINALS], TRACE, PLATFORM, id="the original twice"),
        pytest.param([b"traceparent: " + b"x" * 60_000], None, None, id="huge"),
        pytest.param([TWICE, b"tracestate: " + b"a" * 60_000], TRACE, PLATFORM, id="huge state"),
        pytest.param([b"traceparent: \xff\xfe\\N{"], None, None, id="no text"),
        pytest.param([b"traceparent:"], None, None, id="empty"),
        pytest.param([b"x-cloud-trace-context: \xb2/1", TWICE], TRACE, PLATFORM, id="Google's no text"),
    ],
)
def test_a_header_sent_twice_is_believed_in_neither_form_and_none_fails_a_request(
    start: Start, spans: Memory, lines: list[bytes], expected: str | None, parent: str | None
) -> None:
    """Over a real connection: what a proxy added and what a stranger sent cannot be told apart."""
    assert ask_raw(start(), lines) == b"404"
    span: Any = got(spans)
    assert expected is None or f"{span.context.trace_id:032x}" == expected
    assert f"{span.context.trace_id:032x}" not in {TRACE, OTHER} - {expected}
    assert (f"{span.parent.span_id:016x}" if span.parent else None) == parent


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("first", [b"", W3C_0.encode()])
def test_a_header_that_was_sent_more_than_once_is_not_believed(first: bytes, times: int) -> None:
    headers = [(b"traceparent", first), *[(b"traceparent", W3C_0.encode())] * (times - 1)]
    assert read_headers(headers) == {b"traceparent": b""}
    assert trace_id(read_headers(headers)) == 0
