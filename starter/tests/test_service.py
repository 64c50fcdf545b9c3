"""What every service of the platform has to keep: its routes answer, and a request is one complete, named span."""

from typing import Any

import pytest
from conftest import ENVIRONMENT, NAME
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id

from app.settings import InvalidSetting, parse

CALLER = "00f067aa0ba902b7"
# The low half of a trace's id decides, against the ratio of 0.5 that conftest.py sets.
WITHIN, BEYOND = "0af7651916cd43dd" + "0" * 15 + "1", "0af7651916cd43dd" + "f" * 16


def _from(trace: str) -> dict[str, str]:
    return {"traceparent": f"00-{trace}-{CALLER}-01"}


def test_it_says_who_it_is(client: TestClient) -> None:
    """The first thing to call after a deployment; replace it when `/` is yours."""
    answer = client.get("/", headers=_from(WITHIN))
    assert (answer.status_code, answer.json()) == (200, {"service": NAME, "trace_id": WITHIN})


def test_the_probe_answers_and_leaves_no_span(client: TestClient, spans: list[ReadableSpan]) -> None:
    """Cloud Run asks every few seconds."""
    assert client.get("/healthz").status_code == 200
    assert not spans


def test_what_is_not_there_is_a_problem_with_its_trace(client: TestClient) -> None:
    """Whoever reports an error can name its trace."""
    answer = client.get("/nowhere", headers=_from(WITHIN))
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["status"], answer.json()["trace_id"]) == (404, WITHIN)


def test_a_request_is_one_complete_server_span(client: TestClient, spans: list[ReadableSpan]) -> None:
    """With the service's name, its route and its status, in the caller's trace."""
    client.get("/", headers=_from(WITHIN))
    (span,) = spans
    assert span.kind is SpanKind.SERVER
    assert span.resource.attributes["service.name"] == NAME
    assert span.end_time is not None
    assert span.attributes
    assert (span.attributes["http.route"], span.attributes["http.response.status_code"]) == ("/", 200)
    assert format_trace_id(span.context.trace_id) == WITHIN


def test_the_ratio_decides_by_the_trace_s_id(client: TestClient, spans: list[ReadableSpan]) -> None:
    """So all services of a trace decide alike."""
    client.get("/", headers=_from(BEYOND))
    assert not spans


def test_an_error_is_kept_and_logged_with_its_trace(
    application: FastAPI, client: TestClient, spans: list[ReadableSpan], lines: list[dict[str, Any]]
) -> None:
    """Beyond the ratio too."""

    def fail() -> None:
        raise ValueError("as it can happen")

    application.add_api_route("/fails", fail)
    answer = client.get("/fails", headers=_from(BEYOND))
    assert (answer.status_code, answer.json()["trace_id"]) == (500, BEYOND)
    span = spans[-1]
    assert span.status.status_code is StatusCode.ERROR
    assert format_trace_id(span.context.trace_id) == BEYOND
    (line,) = [each for each in lines if each["severity"] == "ERROR"]
    assert line["logging.googleapis.com/trace"] == f"projects/project-id/traces/{BEYOND}"
    assert line["logging.googleapis.com/spanId"] == format_span_id(span.context.span_id)
    assert "ValueError: as it can happen" in str(line)


def test_settings_come_from_the_environment() -> None:
    """As infra/ sets it."""
    settings = parse(ENVIRONMENT)
    assert (settings.name, settings.environment, settings.project) == (NAME, "test", "project-id")


def test_a_bad_setting_is_refused_in_a_sentence() -> None:
    """Instead of a stack trace in the log of an instance that does not start."""
    with pytest.raises(InvalidSetting, match=r"^PORT has the value 'eighty', but must be a port, 0-65535"):
        parse({**ENVIRONMENT, "PORT": "eighty"})
