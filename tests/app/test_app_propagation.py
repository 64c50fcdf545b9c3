"""app/telemetry/propagation.py, ids.py and sampling.py: one trace over any front end, and nothing for a stranger."""

from typing import Any

import pytest
from app.telemetry.ids import InheritingIdGenerator
from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import asgi_getter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from app.telemetry.propagation import CloudRunPropagator
from app.telemetry.sampling import by_trace_id

TRACE, OTHER = "ab" * 16, "cd" * 16
PLATFORM, CALLER = "b" * 16, "a" * 16
DECIMAL = int(PLATFORM, 16)


def entry(headers: dict[str, str | bytes], *, public: bool = False, ratio: float = 1) -> ReadableSpan | None:
    """The server span that a request with these headers gets, as the ASGI instrumentation makes it."""
    raw = [
        (key.encode(), value if isinstance(value, bytes) else value.encode())
        for key, value in headers.items()
    ]
    context = CloudRunPropagator(public=public).extract({"headers": raw}, getter=asgi_getter)
    provider = TracerProvider(
        sampler=by_trace_id(ratio), id_generator=InheritingIdGenerator(), shutdown_on_exit=False
    )
    token = contexts.attach(context)
    try:
        span = provider.get_tracer("t").start_span("entry", context=context)
    finally:
        contexts.detach(token)
    return span if isinstance(span, ReadableSpan) else None


def seen(span: ReadableSpan | None) -> tuple[str, str | None]:
    assert span is not None
    assert span.context is not None
    parent = None if span.parent is None else f"{span.parent.span_id:016x}"
    return f"{span.context.trace_id:032x}", parent


W3C_0, W3C_1 = f"00-{TRACE}-{PLATFORM}-00", f"00-{TRACE}-{PLATFORM}-01"
ORIGINAL = f"00-{TRACE}-{CALLER}-01"


@pytest.mark.parametrize(
    ("headers", "public", "trace_id", "parent"),
    [
        pytest.param({"traceparent": W3C_1}, True, TRACE, PLATFORM, id="a sampled platform parent is kept"),
        pytest.param({"traceparent": f"00-{TRACE}-{PLATFORM}-03"}, True, TRACE, PLATFORM, id="bit 0 of 03"),
        pytest.param({"traceparent": W3C_0}, True, TRACE, None, id="an unsampled one leaves a root"),
        pytest.param({"traceparent": f"00-{TRACE}-{PLATFORM}-02"}, True, TRACE, None, id="bit 0 of 02"),
        pytest.param({"traceparent": W3C_0}, False, TRACE, None, id="so too on a private service"),
        pytest.param({"traceparent": W3C_0, "x-original-traceparent": ORIGINAL}, False, TRACE, CALLER, id="repair"),
        pytest.param({"traceparent": W3C_1, "x-original-traceparent": ORIGINAL}, False, TRACE, CALLER, id="always"),
        pytest.param({"traceparent": W3C_0, "x-original-traceparent": ORIGINAL}, True, TRACE, None, id="not in public"),
        pytest.param({"traceparent": W3C_1, "x-original-traceparent": ORIGINAL}, True, TRACE, PLATFORM, id="nor here"),
        pytest.param(
            {"traceparent": W3C_1, "x-original-traceparent": f"00-{OTHER}-{CALLER}-01"},
            False, TRACE, PLATFORM, id="another trace's parent is not ours",
        ),
        pytest.param({"x-cloud-trace-context": f"{TRACE}/{DECIMAL};o=1"}, True, TRACE, PLATFORM, id="Google only"),
        pytest.param({"x-cloud-trace-context": f"{TRACE}/{DECIMAL};o=0"}, True, TRACE, None, id="Google unsampled"),
        pytest.param({"x-cloud-trace-context": f"{TRACE}/{DECIMAL}"}, True, TRACE, None, id="Google without option"),
        pytest.param({"x-cloud-trace-context": TRACE}, True, TRACE, None, id="Google trace only"),
        pytest.param({"x-cloud-trace-context": f"{TRACE};o=1"}, True, TRACE, None, id="Google trace and option"),
        pytest.param(
            {"traceparent": W3C_1, "x-cloud-trace-context": f"{OTHER}/{DECIMAL};o=1"}, True, TRACE, PLATFORM, id="W3C wins"
        ),
        pytest.param(
            {"x-cloud-trace-context": f"{TRACE}/{DECIMAL};o=0", "x-original-traceparent": ORIGINAL},
            False, TRACE, CALLER, id="repair under the Google header",
        ),
        pytest.param(
            {"traceparent": W3C_1, "x-cloud-trace-context": f"{TRACE}/1;o={'9' * 5000}"},
            True, TRACE, PLATFORM, id="a hostile Google header does not hide W3C",
        ),
    ],
)  # fmt: skip
def test_whose_child_an_entry_is(
    headers: dict[str, str | bytes], public: bool, trace_id: str, parent: str | None
) -> None:
    assert seen(entry(headers, public=public)) == (trace_id, parent)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-original-traceparent": ORIGINAL},
        {"traceparent": "garbage"},
        {"traceparent": f"00-{'0' * 32}-{PLATFORM}-01"},
        {"traceparent": f"ff-{TRACE}-{PLATFORM}-01"},
        {"traceparent": "0" * 100_000},
        {"traceparent": b"\xff\\x"},
        {"x-cloud-trace-context": b"\xff\\x"},
        {"x-cloud-trace-context": f"{TRACE}/{'9' * 20};o={'9' * 5000}"},
        {"x-cloud-trace-context": f"{'0' * 32}/1;o=1"},
        {"x-cloud-trace-context": "/" * 60_000},
        {"traceparent": "", "tracestate": "=" * 9000},
    ],
)
def test_malformed_huge_and_hostile_headers_start_a_trace_of_their_own(
    headers: dict[str, str | bytes],
) -> None:
    trace_id, parent = seen(entry(headers))
    assert parent is None
    assert trace_id not in (TRACE, OTHER, "0" * 32)


@pytest.mark.parametrize(
    "original", [b"\xff\\x", b"garbage", f"00-{TRACE}-{'0' * 16}-01".encode(), b"x" * 100_000]
)
def test_a_bad_original_header_changes_nothing(original: bytes) -> None:
    assert seen(entry({"traceparent": W3C_1, "x-original-traceparent": original})) == (TRACE, PLATFORM)


@pytest.mark.parametrize("flag", ["00", "01", "02", "03"])
@pytest.mark.parametrize(("low", "kept"), [(0, True), (2**63, False)])
def test_sampling_is_by_trace_id_whatever_flag_and_parent(flag: str, low: int, kept: bool) -> None:
    trace_id = f"{(0xAB << 64) + low + 1:032x}"
    headers: dict[str, str | bytes] = {"traceparent": f"00-{trace_id}-{PLATFORM}-{flag}"}
    original: dict[str, str | bytes] = {**headers, "x-original-traceparent": f"00-{trace_id}-{CALLER}-{flag}"}
    assert [entry(given, ratio=0.1) is not None for given in (headers, original)] == [kept, kept]


def test_a_local_child_is_kept_as_its_root_is() -> None:
    provider = TracerProvider(sampler=by_trace_id(0.5), shutdown_on_exit=False)
    tracer = provider.get_tracer("t")
    for _ in range(50):
        with tracer.start_as_current_span("root") as root, tracer.start_as_current_span("child") as child:
            assert root.is_recording() == child.is_recording()


def _injected(span: ReadableSpan | None) -> dict[str, str]:
    assert span is not None
    carrier: dict[str, str] = {}
    current: Any = span
    CloudRunPropagator(public=True).inject(carrier, trace.set_span_in_context(current))
    return carrier


def test_every_hop_gets_all_three_headers_and_never_a_stranger_s() -> None:
    span = entry({"traceparent": W3C_0, "x-original-traceparent": f"00-{TRACE}-{CALLER}-01"}, public=True)
    carrier = _injected(span)
    assert span is not None
    assert span.context is not None
    own = f"{span.context.span_id:016x}"
    assert carrier["traceparent"].startswith(f"00-{TRACE}-{own}-")
    assert carrier["x-original-traceparent"] == carrier["traceparent"]
    assert carrier["x-cloud-trace-context"] == f"{TRACE}/{span.context.span_id};o=1"
    assert set(carrier) == {"traceparent", "x-cloud-trace-context", "x-original-traceparent"}


@pytest.mark.parametrize(("flag", "random"), [("00", False), ("02", True)])
def test_a_kept_trace_id_is_called_random_only_if_its_sender_called_it_so(flag: str, random: bool) -> None:
    span = entry({"traceparent": f"00-{TRACE}-{PLATFORM}-{flag}"})
    assert span is not None
    assert span.context is not None
    assert span.context.trace_flags.random_trace_id is random


def test_outside_a_trace_nothing_is_written() -> None:
    carrier: dict[str, str] = {}
    CloudRunPropagator(public=True).inject(carrier, contexts.Context())
    assert carrier == {}
