"""app/problems.py: every failure is a problem document, and logged once inside its trace."""

import http.client
import logging
from collections.abc import AsyncIterator

import pytest
from app_process import ask
from conftest import Memory, Start
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse

from app import health, main
from app.problems import Problem


async def broken() -> None:
    raise ValueError("secret detail")


async def teapot() -> None:
    raise HTTPException(418, "short and stout")


async def cut() -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"x"
        raise Problem(502, "No.", cause="the source broke off")

    return StreamingResponse(pieces())


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch, start: Start) -> str:
    install = health.install

    def more(app: FastAPI) -> None:
        install(app)
        app.add_api_route("/broken", broken)
        app.add_api_route("/teapot", teapot)
        app.add_api_route("/cut", cut, response_model=None)

    monkeypatch.setattr(main.health, "install", more)
    return start()


def test_an_unexpected_error_is_a_500_that_tells_nothing_but_its_trace(
    url: str, spans: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    reply = ask(url, "GET", "/broken")
    assert (reply.status, reply.headers["content-type"]) == (500, "application/problem+json")
    assert b"secret detail" not in reply.body
    (span,) = spans.get_finished_spans()
    assert reply.json()["trace_id"] == f"{span.context.trace_id:032x}"
    assert span.status.status_code.name == "ERROR"
    assert [event.name for event in span.events] == ["exception"]
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [vars(record).get("event") for record in errors] == ["request_failed"], "logged once"
    assert errors[0].exc_info is not None


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/teapot", 418), ("PUT", "/teapot", 405), ("GET", "/x", 404)]
)
def test_the_framework_s_own_refusals_are_problems_too(url: str, method: str, path: str, status: int) -> None:
    reply = ask(url, method, path)
    assert (reply.status, reply.json()["status"]) == (status, status)
    assert reply.headers["content-type"] == "application/problem+json"


def test_a_cut_answer_is_one_line(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """The server's own ERROR about it would open the alert of errors for what may be a slow reader."""
    with pytest.raises(http.client.IncompleteRead):
        ask(url, "GET", "/cut")
    lines = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [vars(line).get("event") for line in lines] == ["response_cut"]
