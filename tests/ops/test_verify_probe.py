"""The marked request: what is sent, how often, and which trace ids it has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakegoogle import FakeGoogle, fake_google
from google.auth.exceptions import DefaultCredentialsError
from verify_world import deployment

import ops.verify.identity
import ops.verify.probe
from app.telemetry.sampling import HeadSampler
from ops.deployment import Deployment
from ops.errors import OperatorError
from ops.verify.identity import id_token
from ops.verify.probe import DOCUMENT, TRIES, Probe, Request, kept_trace_id, request_for, send

POST = Request("POST", "/documents")


@pytest.fixture
def fake() -> Iterator[FakeGoogle]:
    with fake_google() as running:
        yield running


def at(url: str, **changes: Any) -> Deployment:
    """A local deployment whose gateway is at `url`."""
    found = deployment(stack="local", **changes)
    gateway = replace(found.services["gateway"], url=url)
    return replace(found, services={**found.services, "gateway": gateway})


def asked(of: Deployment, request: Request = POST) -> Probe:
    return send(of, of.services["gateway"], request, timeout=10, sleep=lambda seconds: None)


@pytest.mark.parametrize("ratio", [1.0, 0.5, 0.1, 0.0001, 1e-15])
def test_the_ratio_keeps_every_trace_id_that_is_sent(ratio: float) -> None:
    """By the decision of the template itself; and the id is valid: 32 digits, not all zero."""
    sampler = HeadSampler(ratio)
    ids = [kept_trace_id(ratio) for _ in range(200)]
    assert all(sampler.keeps(int(each, 16)) and len(each) == 32 and int(each[:16], 16) for each in ids)
    assert len(set(ids)) == 200


def test_a_ratio_of_nothing_still_gives_a_valid_id() -> None:
    assert int(kept_trace_id(0.0), 16) > 0


@pytest.mark.parametrize(
    ("asked", "step", "expected"),
    [
        ("", "receive", "POST /documents"),
        ("", "", "GET /"),
        ("get /orders?x=1", "receive", "GET /orders?x=1"),
    ],
)
def test_the_pipeline_gets_a_document_and_any_other_service_a_get(
    asked: str, step: str, expected: str
) -> None:
    service = replace(deployment().services["gateway"], step=step)
    assert str(request_for(service, asked)) == expected


@pytest.mark.parametrize("asked", ["/orders", "GET", "FETCH /orders", "GET orders"])
def test_a_request_that_is_none_is_refused_in_one_sentence(asked: str) -> None:
    with pytest.raises(OperatorError, match=r"--request has value .* give a method and a path"):
        request_for(deployment().services["gateway"], asked)


def test_it_is_marked_and_always_the_same_document(fake: FakeGoogle) -> None:
    """So it is found in the logs, and stored once however often somebody verifies."""
    fake.on("POST /documents", (201, {"trace_id": "d" * 32}))
    found = asked(at(fake.url))
    assert (found.status, found.ok, found.told, found.before) == (201, True, "d" * 32, ())
    ((_, target, body),) = fake.raw
    assert (target, body) == ("/documents", DOCUMENT)
    (headers,) = fake.headers
    assert headers["user-agent"].startswith("blueprint-verify/")
    assert headers["traceparent"] == f"00-{found.trace_id}-{found.span_id}-01"
    assert "authorization" not in headers


def test_while_instances_start_it_is_asked_again_each_time_with_a_trace_of_its_own(fake: FakeGoogle) -> None:
    """Spans of a try that failed would speak for one that did not."""
    fake.on("POST /documents", (504, {}), (503, {}), (201, {}))
    found = asked(at(fake.url))
    assert (found.status, found.before) == (201, ("504", "503"))
    parents = [headers["traceparent"] for headers in fake.headers]
    assert len(set(parents)) == 3
    assert found.trace_id in parents[-1]


@pytest.mark.parametrize(
    ("body", "response", "told"),
    [
        ({"trace_id": "d" * 32}, "", "d" * 32),
        ({"id": 1}, f"00-{'e' * 32}-00f067aa0ba902b7-01", "e" * 32),
        ("plain", "", ""),
        ("[1]", "garbage", ""),
    ],
)
def test_the_answer_names_its_trace_in_json_or_in_traceresponse(
    fake: FakeGoogle, body: Any, response: str, told: str
) -> None:
    """The template says it in both, a service of a team's own perhaps in the header only."""
    fake.on("POST /documents", (201, body))
    fake.sends = {"traceresponse": response}
    assert asked(at(fake.url)).told == told


@pytest.mark.parametrize(("status", "times"), [(400, 1), (404, 1), (502, TRIES), (429, TRIES)])
def test_only_what_may_get_better_is_asked_again(fake: FakeGoogle, status: int, times: int) -> None:
    fake.on("POST /documents", (status, {}))
    assert (asked(at(fake.url)).ok, len(fake.seen)) == (False, times)


def test_nobody_at_the_address_is_an_answer_too() -> None:
    found = asked(at("http://127.0.0.1:9"))
    assert (found.status, found.ok, found.error) == (0, False, "ConnectionError")
    assert len(found.before) == TRIES - 1


def test_a_private_service_gets_the_callers_identity(
    fake: FakeGoogle,
) -> None:
    of = at(fake.url)
    private = replace(of.services["gateway"], public=False)
    fake.on("POST /documents", (201, {}))
    send(of, private, POST, timeout=10, token=lambda url: f"for {url}", sleep=lambda seconds: None)
    assert fake.headers[-1]["authorization"] == f"Bearer for {private.url}"


GCLOUD = {
    "a service account's": (
        'case "$*" in *--audiences=https://x.run.app*) echo token;; *) exit 1;; esac',
        "token",
    ),
    "a person's": ('case "$*" in *--audiences*) exit 1;; *) echo token;; esac', "token"),
    "none": ("exit 1", ""),
    "a gcloud that hangs": ("exec sleep 60", ""),
}


@pytest.mark.parametrize("kind", GCLOUD)
def test_gcloud_gives_a_token_or_none(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service account's has to be for the service, and a person's cannot be. Whatever becomes of it, no stack trace."""
    script, token = GCLOUD[kind]
    cli = tmp_path / "gcloud"
    cli.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    cli.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(ops.verify.identity, "_TIMEOUT_S", 0.3 if "hangs" in kind else 30)

    def none(*_: object) -> str:
        raise DefaultCredentialsError("nothing here")  # type: ignore[no-untyped-call]

    monkeypatch.setattr("google.oauth2.id_token.fetch_id_token", none)
    assert id_token("https://x.run.app") == token


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "https://run.app.example.com", "http://x.run.app"])
def test_a_persons_token_goes_to_cloud_run_only(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is good for any service that the person may call."""
    monkeypatch.setattr("google.oauth2.id_token.fetch_id_token", lambda *_: pytest.fail("asked"))
    assert id_token(url) == ""
