"""app/telemetry/logs.py: each record is one line of JSON in the keys that Cloud Logging lifts."""

import json
import logging
import math
import sys
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from app.telemetry.logs import JsonFormatter

FORMAT = JsonFormatter("p", {"service": "gateway", "environment": ""})


def line(
    message: object = "hello", *args: object, level: int = logging.INFO, exc: bool = False, **extra: Any
) -> dict[str, Any]:
    logger = logging.getLogger("t")
    info = sys.exc_info() if exc else None
    record = logger.makeRecord("t", level, "/srv/app/x.py", 7, message, args, info, func="f", extra=extra)
    text = FORMAT.format(record)
    assert "\n" not in text
    found = json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    assert isinstance(found, dict)
    return found


def test_a_line_has_severity_time_place_and_a_field_besides_its_message() -> None:
    found = line("a %s", "b", level=logging.WARNING)
    assert (found["severity"], found["message"], found["logger"]) == ("WARNING", "a b", "t")
    assert found["time"].endswith("Z")
    assert found["logging.googleapis.com/sourceLocation"] == {
        "file": "/srv/app/x.py",
        "line": "7",
        "function": "f",
    }
    assert found["logging.googleapis.com/labels"] == {"service": "gateway"}
    assert not any("trace" in key for key in found)


@pytest.mark.parametrize(("sampler", "sampled"), [(ALWAYS_ON, True), (ALWAYS_OFF, False)])
def test_a_line_carries_its_trace_sampled_or_not(sampler: Any, sampled: bool) -> None:
    tracer = TracerProvider(sampler=sampler, shutdown_on_exit=False).get_tracer("t")
    with tracer.start_as_current_span("s") as span:
        found = line()
    context = span.get_span_context()
    assert (
        found["logging.googleapis.com/trace"]
        == f"projects/p/traces/{trace.format_trace_id(context.trace_id)}"
    )
    assert found["logging.googleapis.com/spanId"] == trace.format_span_id(context.span_id)
    assert found["logging.googleapis.com/trace_sampled"] is sampled


def test_a_traceback_stays_in_the_message_on_one_line() -> None:
    try:
        raise ValueError("boom")
    except ValueError:
        found = line("failed", exc=True)
    assert found["message"].startswith("failed\nTraceback (most recent call last):\n")
    assert found["message"].endswith("ValueError: boom")


def test_extra_fields_stay_structured_and_cannot_forge_ours() -> None:
    found = line(event="e", nested={"a": [1, None]}, severity="EMERGENCY")
    assert (found["event"], found["nested"], found["severity"]) == ("e", {"a": [1, None]}, "INFO")


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        b"\xff",
        math.nan,
        {"k": math.inf},
        Unprintable(),
        {(1, 2): "x"},
        "\ud800",
        [Unprintable()],
    ],
)
def test_no_value_loses_a_line(value: object) -> None:
    assert line("kept", odd=value)["message"] == "kept"
    assert "kept" in line("kept %s", value)["message"]


def test_a_cycle_or_arguments_that_do_not_fit_lose_no_line() -> None:
    cycle: list[object] = []
    cycle.append(cycle)
    assert line("kept", cycle=cycle)["message"] == "kept"
    assert "kept %d" in line("kept %d", "text")["message"]
