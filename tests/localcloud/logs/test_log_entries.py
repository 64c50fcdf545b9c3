"""What Cloud Run makes of a container's line: the special JSON keys, and everything that is not JSON."""

import json
from typing import Any

import pytest

from localcloud.logs.entries import MAX_ENTRY_BYTES, container_entry, severity_name

RESOURCE = {"type": "cloud_run_revision", "labels": {"service_name": "gateway-local"}}


def entry(line: str | dict[str, Any]) -> dict[str, Any]:
    text = line if isinstance(line, str) else json.dumps(line)
    return container_entry(text, project="p", stream="stderr", resource=RESOURCE, labels={"instanceId": "i"})


def test_plain_text_is_a_default_entry_of_its_stream() -> None:
    """A line that is not JSON is textPayload, DEFAULT, under the stream's log name with the platform's labels."""
    assert entry("hello\n") == {
        "logName": "projects/p/logs/run.googleapis.com%2Fstderr",
        "resource": RESOURCE,
        "labels": {"instanceId": "i"},
        "severity": "DEFAULT",
        "textPayload": "hello",
    }


def test_special_keys_move_to_the_entry_and_the_rest_stays() -> None:
    """severity, trace, span, source, request, operation and labels leave jsonPayload; other keys remain."""
    special = {
        "severity": "warning",
        "httpRequest": {"status": 504},
        "logging.googleapis.com/trace": "projects/p/traces/" + "a" * 32,
        "logging.googleapis.com/spanId": "b" * 16,
        "logging.googleapis.com/trace_sampled": False,
        "logging.googleapis.com/sourceLocation": {"file": "x.py", "line": "3"},
        "logging.googleapis.com/operation": {"id": "o"},
        "logging.googleapis.com/labels": {"tenant": 7},
        "logging.googleapis.com/insertId": "mine",
    }
    made = entry({"message": "late", "budget_ms": 1000} | special)
    assert made["jsonPayload"] == {"message": "late", "budget_ms": 1000}
    assert (made["severity"], made["httpRequest"], made["insertId"]) == ("WARNING", {"status": 504}, "mine")
    assert (made["trace"], made["spanId"]) == ("projects/p/traces/" + "a" * 32, "b" * 16)
    assert made["traceSampled"] is False
    assert made["sourceLocation"] == {"file": "x.py", "line": "3"}
    assert made["operation"] == {"id": "o"}
    assert made["labels"] == {"instanceId": "i", "tenant": "7"}


def test_message_alone_becomes_text() -> None:
    """The trap of bare messages: filters on jsonPayload.message miss an entry whose only field is message."""
    made = entry({"message": "alone", "severity": "ERROR"})
    assert (made["textPayload"], made["severity"], "jsonPayload" in made) == ("alone", "ERROR", False)


@pytest.mark.parametrize(
    "line",
    ['INFO {"a": 1}', ' {"a": 1}', '{"a": 1', "[1, 2]", '"x"', "{" * 100_000, "", '{"a": NaN}', "\udcff"],
)
def test_only_a_whole_json_object_is_parsed(line: str) -> None:
    """A prefix, broken JSON, or JSON that is no object stays text, whatever its depth."""
    assert entry(line)["textPayload"] == line


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"time": "2026-01-02T03:04:05.123456789Z"}, "2026-01-02T03:04:05.123456789Z"),
        ({"time": "2026-01-02T04:04:05+01:00"}, "2026-01-02T03:04:05Z"),
        (
            {"timestampSeconds": 1, "timestampNanos": 5, "time": "2026-01-01T00:00:00Z"},
            "1970-01-01T00:00:01.000000005Z",
        ),
        ({"timestamp": {"seconds": 2, "nanos": 0}, "timestampSeconds": 1}, "1970-01-01T00:00:02Z"),
        ({"time": "noon"}, None),
        ({"time": 7, "timestampSeconds": 1e300, "timestamp": {"seconds": "x"}}, None),
    ],
)
def test_time_keys_by_precedence(fields: dict[str, Any], expected: str | None) -> None:
    """timestamp beats timestampSeconds beats time; an unreadable time stays in the payload."""
    assert entry({"a": 1, "b": 2} | fields).get("timestamp") == expected


def test_a_field_of_the_wrong_type_stays_in_the_payload() -> None:
    """trace_sampled must be a JSON boolean and labels an object, else they are ordinary fields."""
    wrong = {"logging.googleapis.com/trace_sampled": "true", "logging.googleapis.com/labels": "x"}
    assert entry(wrong)["jsonPayload"] == wrong


def test_a_line_beyond_the_entry_limit_is_cut_and_says_so() -> None:
    """An entry holds 256 KB; a longer line is text, cut, with its true size noted."""
    text = entry("é" * MAX_ENTRY_BYTES)["textPayload"]
    assert len(text.encode()) <= MAX_ENTRY_BYTES
    assert text.endswith(f"[cut: {2 * MAX_ENTRY_BYTES} bytes, an entry holds {MAX_ENTRY_BYTES}]")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("error", "ERROR"),
        ("WARN", "WARNING"),
        (450, "WARNING"),
        ("fatal", "CRITICAL"),
        ("loud", "DEFAULT"),
        (None, "DEFAULT"),
    ],
)
def test_severities_by_name_alias_and_number(given: object, name: str) -> None:
    """Any letter case, common aliases and numbers become Google's names; the unknown is DEFAULT."""
    assert severity_name(given) == name
