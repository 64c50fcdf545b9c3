"""app/calls.py and app/async_calls.py: what a hop's failures mean, what is tried again, and the deadline over all of it."""

import contextlib
import json
import logging
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from app_clients import Calling, by_httpx, by_requests, service, within
from app_fakes import Answer, Asked, Cloud, Server, Service
from app_process import Reply, ask
from app_wires import (
    CHUNKED,
    CLOSING,
    HEAD,
    LONG_S,
    Wire,
    hangs_up,
    reads_nothing,
    says,
    says_nothing,
    takes,
    trickles,
)
from conftest import Memory, Start
from opentelemetry import trace

from app import retries
from app.calls import NextService
from app.deadline import Deadline
from app.problems import Problem

PROBLEM = {"content-type": "application/problem+json"}
DETAIL = b'{"detail": "The document is larger than the 10 bytes allowed."}'
GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
# Far above every deadline here, and far below LONG_S: who is slower than this has waited for what never comes.
AT_ONCE_S = LONG_S / 4
AGES = 1e9


@pytest.fixture(params=[by_requests, by_httpx], ids=["requests", "httpx"])
def call(request: pytest.FixtureRequest, cloud: Cloud) -> Calling:
    """Each client in turn."""
    calling: Calling = request.param
    return calling


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time is lost in them."""
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.001)


def post(url: str) -> Reply:
    return ask(url, "POST", "/documents", b"x", {"x-document-name": "a.txt"})


def hop(start: Start, url: str, **env: str) -> str:
    return start(PIPELINE_STEP="receive", SERVICE_URLS=json.dumps({"extract": url}), **env)


class Sequence(Server):
    """A service with an answer for each request in turn; the last one is for all that follow."""

    def __init__(self, *answers: Answer) -> None:
        super().__init__()
        self._answers = list(answers)

    def answer(self, asked: Asked) -> Answer:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (Answer(403, b"Forbidden"), 502),
        (Answer(404, b"Not Found"), 502),
        (Answer(429, b"Rate exceeded."), 502),
        (Answer(500, b"boom"), 502),
        (Answer(503, b""), 502),
        (Answer(504, b"upstream request timeout"), 504),
        (Answer(302, b"", {"location": "http://127.0.0.1:1/"}), 502),
        (Answer(304, b""), 502),
        (Answer(201, b"not json"), 502),
        (Answer(201, b"[1]"), 502),
        (Answer(413, DETAIL, PROBLEM), 413),
        (Answer(400, DETAIL, PROBLEM), 400),
        (Answer(422, b"not json", PROBLEM), 422),
        (Answer(413, b"from a front end"), 502),
    ],
)
def test_a_hop_s_failure_becomes_ours_and_only_the_caller_s_fault_is_passed_on(
    start: Start, cloud: Cloud, answer: Answer, status: int
) -> None:
    reply = post(hop(start, start(Service(answer))))
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")
    assert len(reply.json()["trace_id"]) == 32
    assert "Traceback" not in reply.body.decode()


@pytest.mark.parametrize(
    ("method", "answer", "expected"),
    [
        ("GET", Answer(404, b'{"detail": "none"}', PROBLEM), (404, "none")),
        ("PUT", Answer(409, b'{"detail": "taken"}', PROBLEM), (409, "taken")),
        ("POST", Answer(404, b'{"detail": "none"}', PROBLEM), (502, "The service next answered 404.")),
        ("GET", Answer(404, b"none"), (502, "The service next answered 404.")),
        ("GET", Answer(500, b""), (502, "The service next answered 500.")),
        ("GET", Answer(301, b"", {"location": "/x"}), (502, "The service next answered 301.")),
        ("GET", Answer(304, b""), (502, "The service next answered 304.")),
        ("POST", Answer(400, b"no json", PROBLEM), (400, "The request was refused.")),
    ],
)
def test_both_clients_raise_the_same_problem(
    start: Start, call: Calling, method: str, answer: Answer, expected: tuple[int, str]
) -> None:
    with pytest.raises(Problem) as raised:
        call(start(Service(answer)), method, 30, body=b"x" if method != "GET" else None)
    assert (raised.value.status, raised.value.detail) == expected


def test_a_504_is_time_that_was_spent(start: Start, call: Calling) -> None:
    with pytest.raises(TimeoutError, match="next answered 504"):
        call(start(Service(Answer(504))), "GET", 30)


def test_a_call_carries_identity_deadline_and_trace_and_nothing_of_the_machine(
    start: Start, call: Calling, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No proxy, no .netrc, no cookie of an earlier answer."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")  # the metadata server
    (tmp_path / "netrc").write_text("machine localhost login a password b")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    service = Service(Answer(200, b"{}", {"set-cookie": "a=b; Path=/"}))
    url = start(service).replace("127.0.0.1", "localhost")
    with trace.get_tracer("test").start_as_current_span("work") as span:
        given = {"X-Mine": "1", "Authorization": "Bearer a-stranger", "X-Request-Timeout-Ms": "1"}
        read = call(url, "POST", 30, headers=given, body=b"x", times=2)
    assert (read.status, read.body, read.headers["set-cookie"]) == (200, b"{}", "a=b; Path=/")
    first, second = service.requests
    assert first.headers["authorization"].startswith("Bearer ey")
    assert first.headers["traceparent"][3:35] == f"{span.get_span_context().trace_id:032x}"
    assert 15_000 < int(first.headers["x-request-timeout-ms"]) < 30_000
    assert (first.headers["x-mine"], first.headers["accept-encoding"], first.body) == ("1", "identity", b"x")
    assert "cookie" not in second.headers


def test_a_redirect_is_not_followed_with_our_token(start: Start, call: Calling) -> None:
    elsewhere = Service(Answer(201, b"{}"))
    following = Service(Answer(307, b"", {"location": start(elsewhere)}))
    with pytest.raises(Problem, match="answered 307"):
        call(start(following), "POST", 30)
    assert elsewhere.requests == []


def test_a_service_that_is_not_there_is_a_502(
    start: Start, cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert post(hop(start, f"http://127.0.0.1:{unused.getsockname()[1]}")).status == 502
    line = next(record for record in caplog.records if vars(record).get("event") == "request_failed")
    assert (line.levelno, vars(line)["status"]) == (logging.ERROR, 502)


@pytest.mark.parametrize("url", ["http://no-such-host.invalid", "http://127.0.0.1:1"])
def test_both_clients_say_what_could_not_be_reached(call: Calling, url: str) -> None:
    with pytest.raises(Problem, match=r"The service next could not be reached\.") as raised:
        call(url, "GET", 30)
    assert raised.value.status == 502
    assert (raised.value.cause or "").startswith("next: ")


def test_a_service_that_is_too_slow_is_a_504_at_the_deadline(
    start: Start, cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    slow = Service(Answer(delay=LONG_S))
    url = hop(start, start(slow), REQUEST_BUDGET_MS="300")
    begun = time.monotonic()
    assert post(url).status == 504
    assert 0.25 < time.monotonic() - begun < AT_ONCE_S
    line = next(record for record in caplog.records if vars(record).get("status") == 504)
    assert (line.levelno, vars(line)["event"]) == (logging.WARNING, "request_failed")


def test_a_spent_deadline_makes_no_call(start: Start, cloud: Cloud) -> None:
    following = Service()
    url = hop(start, start(following))
    reply = ask(url, "POST", "/documents", b"x", {"x-document-name": "a", "x-request-timeout-ms": "0"})
    assert (reply.status, following.requests) == (504, [])


@pytest.mark.parametrize(
    "wire",
    [
        says_nothing,
        trickles(HEAD),
        trickles(CHUNKED, b"1\r\nx\r\n"),
        trickles(CHUNKED, b"0"),
        trickles(CLOSING),
        trickles(HEAD[:20]),
        reads_nothing,
    ],
    ids=["silence", "body", "chunks", "chunk head", "body without length", "head", "full pipe"],
)
def test_no_way_of_being_slow_outlasts_the_deadline(start: Start, call: Calling, wire: object) -> None:
    """Each would hold a thread for ever by a timeout per read: there is always a next byte."""
    server = start(Wire(wire))  # type: ignore[arg-type]
    begun = time.monotonic()
    with pytest.raises(
        TimeoutError, match=r"next gave no answer in time|the answer of next did not end in time"
    ):
        call(server, "PUT", 0.3, body=b"x" * 20_000_000 if wire is reads_nothing else b"x")
    assert 0.25 < time.monotonic() - begun < AT_ONCE_S


def test_a_silence_that_begins_late_ends_no_later(start: Start, call: Calling) -> None:
    """The time of a wait is what remains, not what remained when the call began."""
    connected: list[float] = []

    def script(connection: socket.socket, over: threading.Event) -> None:
        connected.append(time.monotonic())
        connection.recv(65536)
        over.wait(0.9)
        connection.sendall(HEAD)
        over.wait(LONG_S)

    url = start(Wire(script))
    with pytest.raises(TimeoutError):
        call(url, "GET", 1)
    assert time.monotonic() - connected[0] < 1.8, "0.9 s, and from then on 1 s"


def test_a_long_body_may_take_all_the_time_as_long_as_it_moves(
    start: Start, call: Calling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One attempt's limit is for silence."""
    monkeypatch.setattr(retries, "attempt_s", lambda remaining: 0.5)
    url = start(Wire(takes(20, 0.04, GOOD)))
    begun = time.monotonic()
    assert call(url, "PUT", 30, body=b"x" * 10_000_000).status == 200
    assert time.monotonic() - begun > 0.5


@pytest.mark.parametrize(
    "wire", [says(HEAD + b"short"), says(CHUNKED + b"5\r\nshor"), says(CHUNKED + b"zz\r\n")]
)
def test_a_body_that_breaks_off_is_a_502(start: Start, call: Calling, wire: object) -> None:
    with pytest.raises(Problem, match=r"The service next gave no usable answer\."):
        call(start(Wire(wire)), "GET", 30)  # type: ignore[arg-type]


def test_the_body_of_a_refusal_is_not_waited_for_longer_than_the_deadline(
    start: Start, call: Calling
) -> None:
    head = (
        b"HTTP/1.1 400 Bad Request\r\ncontent-length: 99\r\ncontent-type: application/problem+json\r\n\r\n{"
    )
    begun = time.monotonic()
    with pytest.raises(Problem, match=r"The request was refused\."):
        call(start(Wire(trickles(head))), "GET", 0.5)
    assert time.monotonic() - begun < AT_ONCE_S


@pytest.mark.parametrize(
    ("first", "method", "idempotent", "attempts"),
    [
        (Answer(503), "GET", None, 2),
        (Answer(429), "GET", None, 2),
        (Answer(429, headers={"retry-after": "0"}), "GET", None, 2),
        (Answer(503), "PUT", None, 2),
        (Answer(503), "DELETE", None, 2),
        (Answer(503), "POST", True, 2),
        (Answer(503), "POST", None, 1),
        (Answer(503), "GET", False, 1),
        (Answer(503, headers={"retry-after": "60"}), "GET", None, 1),
        (Answer(500), "GET", None, 1),
        (Answer(502), "GET", None, 1),
        (Answer(504), "GET", None, 1),
        (Answer(408), "GET", None, 1),
        (Answer(404), "GET", None, 1),
        (Answer(302, headers={"location": "/"}), "GET", None, 1),
    ],
)
def test_which_answers_are_tried_again(
    start: Start, call: Calling, first: Answer, method: str, idempotent: bool | None, attempts: int
) -> None:
    service = Sequence(first, Answer(200))
    url = start(service)
    with contextlib.suppress(Problem, TimeoutError):
        assert call(url, method, 30, idempotent=idempotent).status == 200
    assert len(service.requests) == attempts


@pytest.mark.parametrize(
    ("method", "idempotent", "mended"), [("GET", None, True), ("POST", True, True), ("POST", None, False)]
)
def test_a_connection_closed_without_an_answer_is_tried_again_if_the_call_may_be_repeated(
    start: Start, call: Calling, method: str, idempotent: bool | None, mended: bool
) -> None:
    """As a service does that scales in."""
    wire = Wire(hangs_up, says(GOOD))
    url = start(wire)
    if mended:
        assert call(url, method, 30, idempotent=idempotent, body=b"x").status == 200
    else:
        with pytest.raises(Problem, match="could not be reached"):
            call(url, method, 30, idempotent=idempotent, body=b"x")
    assert wire.connections == 1 + mended


def test_what_never_left_is_tried_again_whatever_it_was(call: Calling, spans: Memory) -> None:
    with socket.socket() as unused, trace.get_tracer("test").start_as_current_span("work"):
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(Problem, match="could not be reached"):
            call(f"http://127.0.0.1:{unused.getsockname()[1]}", "POST", 30, body=b"x")
    work = next(span for span in spans.get_finished_spans() if span.name == "work")
    assert [event.name for event in work.events] == ["retry", "retry"]


def test_a_retry_that_mended_the_call_is_an_event_of_the_caller_s_span(
    start: Start, call: Calling, spans: Memory
) -> None:
    url = start(Sequence(Answer(503), Answer(429), Answer(200)))
    with trace.get_tracer("test").start_as_current_span("work"):
        assert call(url, "GET", 30).status == 200
    work = next(span for span in spans.get_finished_spans() if span.name == "work")
    assert [(event.name, dict(event.attributes or {})) for event in work.events] == [
        ("retry", {"attempt": 2, "cause": "503"}),
        ("retry", {"attempt": 3, "cause": "429"}),
    ]


def test_an_outage_is_not_multiplied(start: Start, call: Calling, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many calls that fail, only a share and a small reserve are repeated."""
    one = retries.Budget(share=0.25, reserve=3)
    monkeypatch.setattr(retries, "Budget", lambda: one)
    service = Service(Answer(503))
    url = start(service)
    for _ in range(8):
        with pytest.raises(Problem):
            call(url, "GET", 30)
    assert len(service.requests) == 8 + 3 + 1


def test_a_failing_destination_takes_no_retries_from_another(cloud: Cloud, start: Start) -> None:
    failing = NextService("failing", start(Service(Answer(503))))
    other = NextService("other", start(Sequence(Answer(503), Answer(200))))
    for _ in range(2 * retries.RESERVE):
        with pytest.raises(Problem):
            failing.call("GET", "/", within(30))
    with other.call("GET", "/", within(30)) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("path", ["@127.0.0.1/x", ".evil.test/x", ":1/x", "", "x"])
async def test_a_path_cannot_name_another_host(path: str) -> None:
    """It would get our identity token."""
    with pytest.raises(ValueError, match='must begin with "/"'):
        NextService("next", "http://next.test").call("GET", path, within(30))
    async with service("http://next.test") as next_service:
        with pytest.raises(ValueError, match='must begin with "/"'):
            await next_service.call("GET", path, within(30))


def test_all_addresses_of_a_host_share_the_deadline(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that swallows a connection takes its time."""
    real = socket.getaddrinfo

    def many(host: str, *args: Any, **kwargs: Any) -> Any:
        return (
            real("127.0.0.1", *args, **kwargs)[:1] * 6 if host == "many.test" else real(host, *args, **kwargs)
        )

    with socket.socket() as hole, contextlib.ExitStack() as kept:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        for _ in range(4):  # its queue is full: what follows hears nothing
            waiting = kept.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(hole.getsockname())
        url = f"http://many.test:{hole.getsockname()[1]}"
        next_service = NextService("next", url)
        monkeypatch.setattr(next_service, "_token", Known())
        monkeypatch.setattr(socket, "getaddrinfo", many)
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            next_service.call("GET", "/", within(0.6))
        assert time.monotonic() - begun < 2.5, "one after another they take 3.6 s"


class Known:
    """An identity that needs no server."""

    token = "t"

    def current(self, limit: Deadline) -> "Known":
        return self


def test_retries_end_with_the_deadline(start: Start, call: Calling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", AGES)
    monkeypatch.setattr(retries, "LONGEST_PAUSE_S", AGES)
    begun = time.monotonic()
    with pytest.raises(Problem, match="answered 503"):
        call(start(Service(Answer(503))), "GET", LONG_S)
    assert time.monotonic() - begun < AT_ONCE_S, "a pause beyond the deadline is not begun"
