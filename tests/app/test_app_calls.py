"""app/calls.py and app/identity.py: what a hop's failures mean, and tokens fetched once."""

import json
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from app_fakes import Answer, Cloud, Service
from app_process import Reply, ask
from conftest import Memory, Start

from app.deadline import Deadline
from app.identity import NoIdentity, Refreshed

PROBLEM = {"content-type": "application/problem+json"}
DETAIL = b'{"detail": "The document is larger than the 10 bytes allowed."}'


def post(url: str) -> Reply:
    return ask(url, "POST", "/documents", b"x", {"x-document-name": "a.txt"})


def hop(start: Start, url: str, **env: str) -> str:
    return start(PIPELINE_STEP="receive", SERVICE_URLS=json.dumps({"extract": url}), **env)


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


def test_a_redirect_is_not_followed_with_our_token(start: Start, cloud: Cloud) -> None:
    elsewhere = Service(Answer(201, b"{}"))
    following = Service(Answer(307, b"", {"location": start(elsewhere)}))
    assert post(hop(start, start(following))).status == 502
    assert elsewhere.requests == []


def test_a_service_that_is_not_there_is_a_502(
    start: Start, cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert post(hop(start, f"http://127.0.0.1:{unused.getsockname()[1]}")).status == 502
    line = next(record for record in caplog.records if vars(record).get("event") == "request_failed")
    assert (line.levelno, vars(line)["status"]) == (logging.ERROR, 502)


def test_a_service_that_is_too_slow_is_a_504_at_the_deadline(
    start: Start, cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    slow = Service(Answer(delay=1))
    url = hop(start, start(slow), REQUEST_BUDGET_MS="300")
    begun = time.monotonic()
    assert post(url).status == 504
    assert 0.25 < time.monotonic() - begun < 0.8
    line = next(record for record in caplog.records if vars(record).get("status") == 504)
    assert (line.levelno, vars(line)["event"]) == (logging.WARNING, "request_failed")


def test_a_spent_deadline_makes_no_call(start: Start, cloud: Cloud) -> None:
    following = Service()
    url = hop(start, start(following))
    reply = ask(url, "POST", "/documents", b"x", {"x-document-name": "a", "x-request-timeout-ms": "0"})
    assert (reply.status, following.requests) == (504, [])


def test_one_token_serves_many_calls_even_when_they_start_together(start: Start, cloud: Cloud) -> None:
    following = Service(Answer(201, b"{}"))
    url = hop(start, start(following))
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: post(url).status, range(8)))
    assert replies == [201] * 8
    assert cloud.tokens == 1
    identity = [asked for asked in cloud.requests if asked.path.endswith("/identity")]
    assert [asked.query["audience"] for asked in identity] == [[following.url]]


def test_an_expired_token_is_refreshed_once(cloud: Cloud) -> None:
    token = Refreshed(audience="http://next")
    deadline = Deadline(time.monotonic(), 10)
    token.current(deadline)
    token._credentials.expiry = token._credentials.expiry.replace(year=2020)
    token.current(deadline)
    token.current(deadline)
    assert cloud.tokens == 2


def test_a_refresh_by_another_is_waited_for_no_longer_than_the_deadline(cloud: Cloud) -> None:
    token = Refreshed(audience="http://next")
    token._lock.acquire()
    with pytest.raises(TimeoutError):
        token.current(Deadline(time.monotonic(), 0.05))


def test_a_refresh_is_one_span_without_the_metadata_requests(cloud: Cloud, spans: Memory) -> None:
    Refreshed(audience="http://next").current(Deadline(time.monotonic(), 10))
    (span,) = spans.get_finished_spans()
    assert span.name == "auth.refresh_token"
    assert dict(span.attributes or {}) == {"auth.token": "id", "auth.audience": "http://next"}


def test_without_a_metadata_server_there_is_one_clear_error(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from google.auth.compute_engine import _metadata

    monkeypatch.setattr(_metadata, "ping", lambda request: False)
    with pytest.raises(NoIdentity, match=r"No ID token for http://next: .* set GCE_METADATA_HOST"):
        Refreshed(audience="http://next").current(Deadline(time.monotonic(), 10))
    events = [vars(record).get("event") for record in caplog.records if record.levelno >= logging.ERROR]
    assert events == ["identity_missing"]


def test_a_connection_closed_by_the_other_side_is_tried_once_more(start: Start, cloud: Cloud) -> None:
    """A service that answers once per connection without saying so, as one that scales in does."""
    listener = socket.create_server(("127.0.0.1", 0))
    answered = threading.Event()

    def serve() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                if answered.is_set():
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}")
                else:
                    connection.recv(65536)  # and hang up without a word
                    answered.set()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert post(hop(start, f"http://127.0.0.1:{listener.getsockname()[1]}")).status == 201
    thread.join(5)
    listener.close()
