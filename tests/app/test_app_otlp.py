"""app/telemetry/otlp_encoding.py: byte for byte what OpenTelemetry's own encoder writes, and no value that stops it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from app.telemetry import otlp, otlp_encoding
from app.telemetry.otlp_encoding import encode

# Where a length or a number takes one byte more, and around the encoder's own tables.
BORDERS = [0, 1, 126, 127, 128, 129, 254, 255, 256, 257, 2046, 2047, 2048, 2049, 16383, 16384]
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(BORDERS).map("é".__mul__)
KEY = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
BYTES = st.binary(max_size=12) | st.sampled_from(BORDERS).map(b"x".__mul__)
SCALAR = st.none() | st.booleans() | INT64 | st.floats() | TEXT | BYTES
VALUE = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=3), max_leaves=5
)
NANOSECONDS = st.integers(0, (1 << 64) - 1)
STATE_NAME = st.text("abc", min_size=1, max_size=3)

RESOURCES = [Resource({"service.name": "a", "n": 1}, "https://schema/1"), Resource({}), Resource({"b": "é"})]
SCOPES = [
    None,
    InstrumentationScope("one"),
    InstrumentationScope("two", "1.0", "https://schema/2", {"k": (1, "v")}),
    InstrumentationScope("two", "1.0"),
]


def bounded(attributes: Mapping[str, Any], limit: int | None = None) -> BoundedAttributes:
    return BoundedAttributes(limit, attributes)


ATTRIBUTES = st.dictionaries(KEY, VALUE, max_size=4).map(bounded)


@st.composite
def contexts(draw: st.DrawFn) -> SpanContext:
    state = draw(st.none() | st.dictionaries(STATE_NAME, STATE_NAME, max_size=3))
    return SpanContext(
        draw(st.integers(1, (1 << 128) - 1)),
        draw(st.integers(1, (1 << 64) - 1)),
        draw(st.booleans()),
        TraceFlags(draw(st.integers(0, 255))),
        None if state is None else TraceState(list(state.items())),
    )


@st.composite
def statuses(draw: st.DrawFn) -> Status:
    code = draw(st.sampled_from(StatusCode))
    return Status(code, draw(TEXT) if code is StatusCode.ERROR else None)


@st.composite
def spans(draw: st.DrawFn) -> ReadableSpan:
    return ReadableSpan(
        draw(TEXT),
        draw(contexts()),
        draw(st.none() | contexts()),
        draw(st.sampled_from(RESOURCES)),
        draw(ATTRIBUTES),
        draw(st.lists(st.builds(Event, TEXT, ATTRIBUTES, NANOSECONDS), max_size=2)),
        draw(st.lists(st.builds(Link, contexts(), ATTRIBUTES), max_size=2)),
        draw(st.sampled_from(SpanKind)),
        status=draw(statuses()),
        start_time=draw(NANOSECONDS),
        end_time=draw(NANOSECONDS),
        instrumentation_scope=draw(st.sampled_from(SCOPES)),
    )


def one(**given: Any) -> ReadableSpan:
    """A span with these peculiarities."""
    return ReadableSpan(
        **{
            "name": "n",
            "context": SpanContext(1, 2, False),
            "resource": RESOURCES[0],
            "start_time": 1,
            "end_time": 2,
            **given,
        }
    )


def decoded(batch: Sequence[ReadableSpan]) -> list[Any]:
    """The spans as a backend reads them."""
    request = ExportTraceServiceRequest.FromString(encode(batch))
    return [span for group in request.resource_spans for scope in group.scope_spans for span in scope.spans]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(spans(), max_size=4))
def test_any_spans_are_encoded_as_the_released_encoder_does(batch: list[ReadableSpan]) -> None:
    assert encode(batch) == encode_spans(batch).SerializeToString()


@pytest.mark.parametrize("size", BORDERS)
@pytest.mark.parametrize("letter", ["a", "é", "\N{SNOWMAN}", "\N{GRINNING FACE}"])
def test_every_length_takes_the_bytes_it_needs(size: int, letter: str) -> None:
    text = letter * size
    attributes = bounded({"text": text, text or "k": [text], "deep": {"x": {"y": text}}})
    batch = [one(name=text, attributes=attributes, events=[Event(text, attributes, 1)])]
    assert encode(batch) == encode_spans(batch).SerializeToString()


def test_what_the_sdk_dropped_is_told() -> None:
    full = bounded({str(number): number for number in range(300)}, 100)
    batch = [one(attributes=full, events=[Event("e", full, 1)], links=[Link(SpanContext(3, 4, True), full)])]
    assert encode(batch) == encode_spans(batch).SerializeToString()
    assert decoded(batch)[0].dropped_attributes_count == 200


def test_many_keys_are_not_remembered_for_ever() -> None:
    batch = [one(attributes={f"key-{number}": number for number in range(3000)})]
    assert encode(batch) == encode_spans(batch).SerializeToString()
    assert len(otlp_encoding._keys) <= otlp_encoding.KEYS_REMEMBERED


class Odd:
    """No value that an attribute may have."""


ODD: dict[str, Any] = {
    "lone surrogate": "a\ud800b",
    "long lone surrogates": "\udfff" * 5000,
    "beyond int64": 1 << 63,
    "below int64": -(1 << 63) - 1,
    "too large to be shown in decimal": 10**5000,
    "not a number": math.nan,
    "infinite": -math.inf,
    "object": Odd(),
    "class": Odd,
    "set": {1},
    "nested": [{"k\ud800": ["\ud800", 1 << 80, {2: None}]}],
    "mixed": ["a", 1, None, b"b"],
    "bytes that are no text": b"\xff\xfe",
    "generator": (number for number in range(3)),
}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD.keys())
def test_no_value_stops_the_spans_beside_it(value: Any) -> None:
    odd = one(name="odd", attributes={"before": "b", "odd": value, "after": "a"})
    first, second = decoded([odd, one(name="plain")])
    assert (first.name, second.name) == ("odd", "plain")
    keys = {pair.key: pair.value for pair in first.attributes}
    assert (keys["before"].string_value, keys["after"].string_value) == ("b", "a")


ODDLY_MADE: dict[str, dict[str, Any]] = {
    "name": {"name": "n\ud800"},
    "name that is no text": {"name": 7},
    "key": {"attributes": {"k\ud800": 1}},
    "key that is no text": {"attributes": {7: "a"}},
    "status": {"status": Status(StatusCode.ERROR, "\ud800")},
    "start in seconds": {"start_time": 1.5},
    "times out of range": {"start_time": -1, "end_time": 1 << 64},
    "times that are none": {"start_time": None, "end_time": "soon"},
    "event's time": {"events": [Event("e", {"k": "\ud800"}, -1)]},
    "event's name": {"events": [Event("\ud800", None, 1)]},
}


@pytest.mark.parametrize("given", ODDLY_MADE.values(), ids=ODDLY_MADE.keys())
def test_a_span_that_an_application_made_oddly_is_sent_all_the_same(given: dict[str, Any]) -> None:
    """A start time in seconds, for one, is a common mistake; it must not hold up every later span."""
    first, second = decoded([one(**given), one(name="plain")])
    assert first.span_id == (2).to_bytes(8, "big")
    assert second.name == "plain"


def test_a_value_that_contains_itself_raises_what_makes_its_span_one_to_leave_out() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(RecursionError):
        encode([one(attributes={"endless": endless})])
    with pytest.raises(TypeError, match="RecursionError"):
        otlp._encoded([one(attributes={"endless": endless})])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.dictionaries(st.text(), st.recursive(st.integers() | st.text() | st.floats(), st.lists), max_size=4)
)
def test_it_never_raises_for_an_attribute(attributes: dict[str, Any]) -> None:
    (found,) = decoded([one(attributes=attributes)])
    assert len(found.attributes) == len(attributes)
