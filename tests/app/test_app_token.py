"""app/telemetry/token.py: the access token is asked for rarely, early, and a good one is not thrown away."""

import json
from typing import Any

import pytest
import requests
from app_backends import Backend, garbage
from app_fakes import Answer, Asked, Service
from conftest import Start

from app.telemetry.token import EARLY_S, PATH, MetadataToken


class Metadata(Service):
    """Hands out numbered tokens that last `seconds`, or what it `says`."""

    def __init__(self, seconds: float = 3600) -> None:
        super().__init__()
        self.seconds, self.given, self.fails = seconds, 0, Answer(503)
        self.failing = False

    def answer(self, asked: Asked) -> Answer:
        if self.failing:
            return self.fails
        self.given += 1
        return Answer(
            body=json.dumps({"access_token": f"t{self.given}", "expires_in": self.seconds}).encode()
        )


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def made(start: Start, metadata: Metadata) -> tuple[MetadataToken, Clock]:
    start(metadata)
    clock = Clock()
    return MetadataToken(metadata.host, clock), clock


def used(token: MetadataToken, status: int = 200) -> str:
    """What a request gets, whose answer has this status."""
    request = token(requests.Request("POST", "http://a.example/").prepare())
    response: Any = requests.Response()
    response.status_code = status
    for hook in request.hooks["response"]:
        hook(response)
    return str(request.headers["authorization"])


def test_a_token_is_asked_for_once_and_again_before_it_ends(start: Start) -> None:
    metadata = Metadata(seconds=3600)
    token, clock = made(start, metadata)
    assert [used(token) for _ in range(3)] == ["Bearer t1"] * 3
    (asked,) = metadata.requests
    assert (asked.path, asked.headers["metadata-flavor"]) == (f"/{PATH}", "Google")
    clock.now += 3600 - EARLY_S - 1
    assert used(token) == "Bearer t1"
    clock.now += 1
    assert [used(token), used(token)] == ["Bearer t2"] * 2


@pytest.mark.parametrize(
    "fails", [Answer(503), Answer(404), Answer(body=b"{}"), Answer(body=b'{"access_token": "x"}')]
)
def test_one_that_cannot_be_renewed_is_used_to_its_end(start: Start, fails: Answer) -> None:
    metadata = Metadata(seconds=3600)
    metadata.fails = fails
    token, clock = made(start, metadata)
    used(token)
    metadata.failing = True
    clock.now += 3599
    assert used(token) == "Bearer t1"
    clock.now += 1
    with pytest.raises(ValueError, match="the metadata server gave no access token"):
        used(token)
    metadata.failing = False
    assert used(token) == "Bearer t2"


def test_one_that_is_refused_is_not_used_again(start: Start) -> None:
    """Such as after its service account was disabled and enabled again."""
    token, _ = made(start, Metadata())
    assert [used(token, 200), used(token, 403), used(token, 401), used(token)] == [
        "Bearer t1",
        "Bearer t1",
        "Bearer t1",
        "Bearer t2",
    ]


def test_a_short_lived_one_is_renewed_each_time(start: Start) -> None:
    token, _ = made(start, Metadata(seconds=EARLY_S / 2))
    assert [used(token), used(token)] == ["Bearer t1", "Bearer t2"]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b'"t"', b"{}", b'{"access_token": "t", "expires_in": null}', b"\xff", b"<html>"],
)
def test_an_answer_that_is_no_token_is_one_kind_of_error(start: Start, body: bytes) -> None:
    """Which says that another try may help, unlike a span that cannot be encoded."""
    metadata = Metadata()
    metadata.failing, metadata.fails = True, Answer(body=body)
    token, _ = made(start, metadata)
    with pytest.raises(ValueError, match="gave no access token"):
        used(token)


def test_no_metadata_server_is_the_same_error_whatever_the_environment_s_proxy(
    monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    proxy = Service(Answer(body=b'{"access_token": "of the proxy", "expires_in": 60}'))
    monkeypatch.setenv("http_proxy", start(proxy))
    with pytest.raises(ValueError, match=r"refused"):
        used(MetadataToken("127.0.0.1:1"))
    assert proxy.requests == []


def test_what_is_no_http_is_the_same_error() -> None:
    with Backend(garbage).running() as backend, pytest.raises(ValueError, match="BadStatusLine"):
        used(MetadataToken(backend.url.removeprefix("http://")))
