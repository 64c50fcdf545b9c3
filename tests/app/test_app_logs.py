"""app/telemetry/logs.py: each record is one line of JSON in the keys that Cloud Logging lifts, whatever it holds."""

import dataclasses
import datetime
import enum
import json
import logging
import math
import os
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from decimal import Decimal
from io import FileIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from pydantic import BaseModel, SecretStr

from app.telemetry import log_stream, logs
from app.telemetry.log_stream import LineHandler
from app.telemetry.log_values import DEPTH, LIMIT, clean, cut
from app.telemetry.logs import JsonFormatter

FORMAT = JsonFormatter("p", {"service": "gateway", "environment": ""}, "gateway-dev-7")
SOURCE = "logging.googleapis.com/sourceLocation"


def parsed(text: str) -> dict[str, Any]:
    """The object of a line that is one line of strict JSON below the limit."""
    assert len(text.splitlines()) == 1
    assert text.isascii()
    assert len(text) <= LIMIT
    found = json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    assert isinstance(found, dict)
    found["message"].encode()  # no lone surrogate
    return found


def line(
    message: object = "hello", *args: object, level: int = logging.INFO, exc: Any = None, **extra: Any
) -> dict[str, Any]:
    logger = logging.getLogger("t")
    info = (type(exc), exc, exc.__traceback__) if exc else None
    record = logger.makeRecord("t", level, "/srv/app/x.py", 7, message, args, info, func="f")
    vars(record).update(extra)
    return parsed(FORMAT.format(record))


def test_a_line_has_severity_time_place_and_a_field_besides_its_message() -> None:
    found = line("a %s", "b", level=logging.WARNING)
    assert (found["severity"], found["message"], found["logger"]) == ("WARNING", "a b", "t")
    assert found[SOURCE] == {"file": "/srv/app/x.py", "line": "7", "function": "f"}
    assert found["logging.googleapis.com/labels"] == {"service": "gateway"}
    assert not any("trace" in key for key in found)
    assert "truncated" not in found


@pytest.mark.parametrize("created", [0.0, 1.000001, 1790000000.25, 1790000000.9999995])
def test_time_is_rfc_3339_in_utc_with_microseconds(created: float) -> None:
    found = line(created=created)["time"]
    assert found.endswith("Z")
    assert abs(datetime.datetime.fromisoformat(found).timestamp() - created) <= 2e-6


@pytest.mark.parametrize(
    ("level", "name", "severity"),
    [
        (logging.DEBUG, "DEBUG", "DEBUG"),
        (logging.CRITICAL, "CRITICAL", "CRITICAL"),
        (25, "NOTICE", "NOTICE"),
        (25, "Level 25", "INFO"),
        (35, "SUCCESS", "WARNING"),
        (logging.WARNING, "WARN", "WARNING"),
        (60, "FATAL", "CRITICAL"),
        (5, "TRACE", "DEBUG"),
        (0, "NOTSET", "DEFAULT"),
    ],
)
def test_every_level_is_a_severity_that_cloud_logging_knows(level: int, name: str, severity: str) -> None:
    assert line(level=level, levelname=name)["severity"] == severity


@pytest.mark.parametrize(("sampler", "sampled"), [(ALWAYS_ON, True), (ALWAYS_OFF, False)])
def test_a_line_carries_its_trace_sampled_or_not(sampler: Any, sampled: bool) -> None:
    tracer = TracerProvider(sampler=sampler, shutdown_on_exit=False).get_tracer("t")
    with tracer.start_as_current_span("s") as span:
        found = line()
    context = span.get_span_context()
    trace_id = trace.format_trace_id(context.trace_id)
    assert found["logging.googleapis.com/trace"] == f"projects/p/traces/{trace_id}"
    assert found["logging.googleapis.com/spanId"] == trace.format_span_id(context.span_id)
    assert found["logging.googleapis.com/trace_sampled"] is sampled


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def test_a_traceback_stays_in_the_message_on_one_line() -> None:
    found = line("failed", level=logging.ERROR, exc=raised(ValueError("boom\nbang")))
    assert found["message"].startswith("failed\nTraceback (most recent call last):\n")
    assert found["message"].endswith("ValueError: boom\nbang")


def test_error_reporting_gets_service_and_version_with_every_error() -> None:
    assert line(level=logging.ERROR)["serviceContext"] == {"service": "gateway", "version": "gateway-dev-7"}
    assert "@type" not in line(level=logging.ERROR), "only tracebacks make an error group"
    assert "serviceContext" not in line(level=logging.WARNING)


def test_error_reporting_s_request_of_an_application_stays_as_given() -> None:
    request = {"httpRequest": {"method": "GET", "url": "/a", "responseStatusCode": 500}}
    assert line(level=logging.ERROR, context=request)["context"] == request


def test_no_exception_is_no_traceback() -> None:
    assert line("failed", exc_info=(None, None, None))["message"] == "failed"


def test_extra_fields_stay_structured() -> None:
    found = line(event="e", nested={"a": [1, None], "b": {"c": True}}, ratio=0.5)
    assert (found["event"], found["nested"], found["ratio"]) == ("e", {"a": [1, None], "b": {"c": True}}, 0.5)


@pytest.mark.parametrize(
    "name",
    [
        *("severity", "time", "timestamp", "timestampSeconds", "timestampNanos", "logger", "truncated"),
        *("logging.googleapis.com/trace", "logging.googleapis.com/insertId", "logging.googleapis.com/labels"),
    ],
)
def test_an_extra_cannot_forge_what_cloud_logging_reads(name: str) -> None:
    plain, found = line(created=1.0), line(created=1.0, **{name: {"seconds": 1}})
    assert found == {**plain, f"extra_{name}": {"seconds": 1}}


@pytest.mark.parametrize("name", ["message", "asctime", "name", "args", "module", "exc_info", "thread"])
def test_an_extra_named_like_a_part_of_the_record_does_not_fail_the_request(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's own Logger raises KeyError for these."""
    monkeypatch.setattr(logging.Logger, "makeRecord", logs._make_record)
    record = logging.getLogger("t").makeRecord(
        "t", 20, "x.py", 7, "kept", (), None, extra={name: "v", "a": 1}
    )
    found = parsed(FORMAT.format(record))
    assert (found["message"], found[f"extra_{name}"], found["a"]) == ("kept", "v", 1)


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no")


class Elusive:
    """As a proxy outside of its context is."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("outside")


class Colour(enum.Enum):
    RED = "red"


class Size(enum.IntEnum):
    BIG = 3


@dataclasses.dataclass
class Order:
    number: int
    due: datetime.date
    card: str = dataclasses.field(default="4711", repr=False)


class Model(BaseModel):
    name: str
    password: SecretStr


CYCLE: list[Any] = [1]
CYCLE.append({"again": CYCLE})
DAY = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)

VALUES: list[tuple[object, object]] = [
    (None, None),
    (True, True),
    (-(2**53), -(2**53)),
    (2**53 + 1, "9007199254740993"),
    (10**5000, "<int that cannot be shown>"),
    (1.5, 1.5),
    (math.nan, "nan"),
    ({"k": [math.inf]}, {"k": ["inf"]}),
    (Decimal("12.50"), "12.50"),
    (DAY, "2026-01-02T03:04:05+00:00"),
    (DAY.time(), "03:04:05"),
    (b"\xffa", "\\xffa"),
    ("\ud800x", "\ufffdx"),
    ("\ud83d\ude00", "😀"),
    ("grün \u2028 \x00", "grün \u2028 \x00"),
    ((1, 2), [1, 2]),
    ({7}, [7]),
    (deque([1]), [1]),
    (OrderedDict(a=1), {"a": 1}),
    (MappingProxyType({"a": 1}), {"a": 1}),
    ({(1, 2): "x", 3: "y", None: "z"}, {"(1, 2)": "x", "3": "y", "None": "z"}),
    ({Unprintable(): 1}, {"<Unprintable that cannot be shown>": 1}),
    (Colour.RED, "red"),
    (Size.BIG, 3),
    (Order(7, DAY.date()), {"number": 7, "due": "2026-01-02"}),
    (Model(name="n", password=SecretStr("s")), {"name": "n", "password": "REDACTED"}),
    (KeyError("k"), "KeyError: 'k'"),
    (Unprintable(), "<Unprintable that cannot be shown>"),
    ([Unprintable()], ["<Unprintable that cannot be shown>"]),
    (CYCLE, [1, {"again": "<list too deep>"}]),
    (Path("/a"), "/a"),
    (Order, str(Order)),
]


@pytest.mark.parametrize(("value", "kept"), VALUES, ids=[str(number) for number in range(len(VALUES))])
def test_every_value_is_kept_as_well_as_json_can(value: object, kept: object) -> None:
    found = line("kept", odd=value, after=1)
    assert (found["message"], found["odd"], found["after"]) == ("kept", kept, 1)
    assert "kept" in line("kept %s", value)["message"]


def test_values_that_are_hostile_lose_no_line() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert line("kept", odd=Elusive())["message"] == "kept"
    found = line("kept", odd=deep)
    assert json.dumps(found["odd"]) == "[" * DEPTH + '"<list too deep>"' + "]" * DEPTH
    while deep:  # or its end would recurse
        deep = deep.pop()


def test_arguments_that_do_not_fit_lose_no_line() -> None:
    assert line("kept %d", "text")["message"] == "kept %d (arguments do not fit: ('text',))"
    assert line(Unprintable())["message"].startswith("<Unprintable that cannot be shown>")


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.binary()
    | st.decimals()
    | st.datetimes()
    | st.just(Unprintable())
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.integers() | st.binary() | st.none(), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=20,
)


@settings(derandomize=True, max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    message=st.text(st.characters(codec=None)) | ANYTHING,
    extra=st.dictionaries(st.text(st.characters(codec=None)), ANYTHING, max_size=5),
)
def test_any_message_with_any_extra_is_one_line(message: object, extra: dict[str, object]) -> None:
    record = logging.makeLogRecord({"name": "t", "levelname": "INFO", "levelno": 20})
    vars(record).update({key: value for key, value in extra.items() if key not in vars(record)})
    record.msg = message
    found = parsed(FORMAT.format(record))
    assert found["severity"] == "INFO"
    assert isinstance(found["message"], str)
    assert found["logging.googleapis.com/labels"] == {"service": "gateway"}


BIG = "x" * LIMIT


@pytest.mark.parametrize(
    ("message", "extra"),
    [
        (BIG, {}),
        ("\x00" * LIMIT, {}),
        ("😀" * LIMIT, {"event": "e"}),
        ("m", {"event": "e", "body": BIG}),
        (BIG, {"event": "e", "body": BIG, "list": list(range(60_000)), "grün" * 1000: BIG}),
        ("m", {"event": "e", **{f"field-{number}": "y" * 300 for number in range(2000)}}),
        ("m", {"event": "e", "tree": {f"{a}": {f"{b}": "z" * 9 for b in range(300)} for a in range(300)}}),
        ("m", {"event": "e", "endless": [list(range(1000))] * 10_000}),
        ("m", {"event": "e", "quotes": '"' * LIMIT, "\ud800" * LIMIT: 1}),
    ],
    ids=["text", "escapes", "emoji", "field", "all", "many fields", "tree", "endless", "quotes"],
)
def test_a_line_too_large_for_an_entry_is_cut_and_says_so(message: str, extra: dict[str, Any]) -> None:
    found = line(message, exc=raised(ValueError("the cause")), **extra)
    assert found["truncated"] is True
    assert found["message"].endswith("ValueError: the cause"), "a traceback keeps its end"
    assert found["message"].startswith(message[:10])
    assert found.get("event") == extra.get("event"), "small fields stay whole"
    assert found["severity"] == "INFO"
    assert found[SOURCE]["line"] == "7"
    assert len(json.dumps(found)) > LIMIT * 0.4, "no more is cut than has to be"


@given(text=st.text(), size=st.integers(-5, 300))
@settings(derandomize=True, deadline=None)
def test_cut_text_takes_no_more_than_its_size(text: str, size: int) -> None:
    assert len(json.dumps(cut(text, size))) <= max(size, 2)


TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL2EifQ.c2lnbmF0dXJl-_"


@pytest.mark.parametrize(
    "text",
    [
        f"Invalid header value b'Bearer {TOKEN}'",
        "authorization: bearer abcdefghijklmnopqrstuvwxyz",
        f"id_token={TOKEN}&x=1",
        f"\n{TOKEN}",
        "refresh gave ya29.a0AfH6SMBx-_1",
        f"{TOKEN} and {TOKEN}",
        "Max retries exceeded with url: /v1?page=1&api_key=abcdefghijklmnop&x=2",
        "GET https://storage.googleapis.com/b/o?X-Goog-Signature=abcdefghijklmnop' failed",
    ],
)
def test_credentials_that_slip_into_a_text_do_not_reach_the_log(text: str) -> None:
    found = line(text, exc=raised(ValueError(text)), field=text, **{text: 1})
    rest = json.dumps(found)
    assert "REDACTED" in found["field"]
    assert not any(secret in rest for secret in ("eyJ", "abcdefghijklmnop", "a0AfH6SMBx"))


@pytest.mark.parametrize(
    "text",
    [
        "the bearer of bad news",
        "Bearer authentication",
        "an eyJ. is no token",
        "ya29",
        "why? a=b",
        "/a?page=1&size=2#key=3",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert line(text)["message"] == text


@pytest.mark.parametrize("name", ["authorization", "Cookie", "set-cookie", "X-Serverless-Authorization"])
def test_headers_that_are_credentials_are_redacted_by_name(name: str) -> None:
    raw = [(name.lower().encode(), b"s3cr3t"), (b"accept", b"*/*")]
    found = line("m", headers={name: "s3cr3t", "accept": "*/*"}, raw=raw, **{name: "s3cr3t"})
    assert "s3cr3t" not in json.dumps(found)
    assert found["headers"] == {name: "REDACTED", "accept": "*/*"}
    assert found["raw"] == [[name.lower(), "REDACTED"], ["accept", "*/*"]]


@pytest.mark.parametrize("name", ["password", "Api-Key", "X-API-Key", "access_token", "client_secret"])
def test_fields_named_as_secrets_are_redacted_like_the_same_names_in_a_text(name: str) -> None:
    found = line("m %s", {name: "s3cr3t"}, given={name: "s3cr3t", "page_tokens": 3}, **{name: "s3cr3t"})
    assert "s3cr3t" not in json.dumps(found)
    assert found["given"] == {name: "REDACTED", "page_tokens": 3}


def test_of_an_error_no_query_value_is_told_and_of_a_message_no_secret_one() -> None:
    """HTTP clients put whole URLs into their errors; what an application says of its own may be wanted."""
    error = ValueError("404 for url /p?page=s3cr3t&q=s3cr3t")
    told = "404 for url /p?page=REDACTED&q=REDACTED"
    assert line(cause=error)["cause"] == f"ValueError: {told}"
    message = line("failed: %s", error, exc=raised(error))["message"]
    assert message.startswith(f"failed: {told}\nTraceback")
    assert message.endswith(f"ValueError: {told}")
    assert line("asked /p?page=3&token=s3cr3t")["message"] == "asked /p?page=3&token=REDACTED"


@pytest.mark.parametrize(
    "part", ["eyJ", "eyJ-", "eyJaaaaaaaa.", "ya29.", "bearer ", "Bearer a", "?key", "?a-", "&token?="]
)
def test_text_made_to_look_like_credentials_costs_little(part: str) -> None:
    """Strangers choose names that get logged: searching is linear (milliseconds), or this would take many seconds."""
    begun = time.process_time()
    assert clean(part * (LIMIT // len(part)))
    assert time.process_time() - begun < 5


@pytest.fixture
def pipe() -> Iterator[tuple[int, FileIO]]:
    reader, writer = os.pipe()
    stream = FileIO(writer, "w")
    yield reader, stream
    for end in (lambda: os.close(reader), stream.close):
        try:
            end()
        except OSError:
            continue


def record_of(message: str, level: int = logging.INFO, **extra: object) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"name": "t", "levelno": level, "levelname": logging.getLevelName(level), "msg": message, **extra}
    )


def handler(stream: Any) -> LineHandler:
    made = LineHandler(stream)
    made.setFormatter(FORMAT)
    return made


def test_lines_of_many_threads_arrive_whole(pipe: tuple[int, FileIO]) -> None:
    """Lines larger than a pipe holds (64 KB) need several writes each."""
    reader, stream = pipe
    out = handler(stream)
    sizes = [10, 5_000, 70_000, 150_000]

    def work(name: str) -> None:
        for number in range(12):
            out.handle(record_of(name * sizes[number % 4]))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    closing = threading.Thread(target=lambda: [[thread.join() for thread in threads], stream.close()])
    closing.start()
    with os.fdopen(os.dup(reader), "rb") as lines:
        messages = [parsed(text.decode().removesuffix("\n"))["message"] for text in lines]
    closing.join()
    assert len(messages) == 48
    assert all(set(message) == {message[0]} and len(message) in sizes for message in messages)


def test_a_closed_stdout_raises_nothing_and_is_said_once(
    pipe: tuple[int, FileIO], capsys: pytest.CaptureFixture[str]
) -> None:
    reader, stream = pipe
    out = handler(stream)
    os.close(reader)
    for _ in range(3):
        out.handle(record_of("gone"))
    (said,) = capsys.readouterr().err.splitlines()
    assert "BrokenPipeError" in parsed(said)["message"]


class Faulty:
    """A stream that takes some bytes, fails for a while, and then takes all."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers, self.taken = list(answers), b""

    def write(self, data: memoryview) -> int:
        answer = self.answers.pop(0) if self.answers else len(data)
        if isinstance(answer, Exception):
            raise answer
        self.taken += data[:answer]
        return min(answer, len(data))


def test_after_an_outage_lines_are_whole_again_and_the_lost_ones_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stream = Faulty(10, OSError("full"), OSError("full"))
    out = handler(stream)
    for message in ("torn", "lost", "back", "on"):
        out.handle(record_of(message))
    torn, *whole = stream.taken.decode().splitlines()
    assert len(torn) == 10
    found = [parsed(text) for text in whole]
    assert [entry["message"] for entry in found][1:] == ["back", "on"]
    assert (found[0]["event"], found[0]["lost"], found[0]["severity"]) == ("log_lines_lost", 2, "ERROR")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_non_blocking_stdout_gets_whole_lines(pipe: tuple[int, FileIO]) -> None:
    """A child process that shares stdout can make it so; a full pipe then refuses instead of blocking."""
    reader, stream = pipe
    os.set_blocking(stream.fileno(), False)
    out = handler(stream)
    writing = threading.Thread(target=lambda: [out.handle(record_of("x" * 150_000)), stream.close()])
    writing.start()
    with os.fdopen(os.dup(reader), "rb") as lines:
        found = [parsed(text.decode().removesuffix("\n")) for text in lines]
    writing.join()
    assert [len(entry["message"]) for entry in found] == [150_000]


def test_a_stdout_that_nobody_reads_is_not_waited_for_for_ever(
    pipe: tuple[int, FileIO], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, stream = pipe
    monkeypatch.setattr(log_stream, "BLOCKED_S", 0.01)
    os.set_blocking(stream.fileno(), False)
    handler(stream).handle(record_of("x" * 150_000))
    assert "BlockingIOError" in capsys.readouterr().err


def test_only_the_first_line_lost_is_waited_for(
    pipe: tuple[int, FileIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each line of an outage would cost its caller a second."""
    _, stream = pipe
    monkeypatch.setattr(log_stream, "BLOCKED_S", 0.2)
    os.set_blocking(stream.fileno(), False)
    out = handler(stream)
    begun = time.monotonic()
    for _ in range(10):
        out.handle(record_of("x" * 150_000))
    assert 0.2 <= time.monotonic() - begun < 1.5, "one after another they take 2 s"


def test_a_record_that_cannot_be_formatted_still_leaves_a_line() -> None:
    stream = Faulty()
    handler(stream).handle(record_of("m", created="yesterday"))
    found = parsed(stream.taken.decode().rstrip("\n"))
    assert found["message"].startswith("a line at INFO could not be made: ValueError")


def test_an_emit_that_fails_without_stderr_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    handler(Faulty(OSError("full"))).handle(record_of("m"))
