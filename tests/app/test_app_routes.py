"""app/routes.py with app/storage.py: the pipeline's steps over real HTTP, against a small metadata server and bucket."""

import hashlib
import http.client
import json
import logging
import os
import threading
import time
from collections.abc import Iterator

import pytest
from app_fakes import Answer, Cloud, Service
from app_process import Reply, ask
from app_wires import HEAD, LONG_S, Wire, hangs_up, says, trickles
from conftest import Memory, Start
from opentelemetry.trace import StatusCode

BUCKET = '{"documents": "bucket-1"}'
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-type: text/plain\r\n\r\nwhole"
NAMED = {"x-document-name": "a.txt", "content-type": "text/plain"}


def post(url: str, body: object, **headers: str) -> Reply:
    return ask(url, "POST", "/documents", body, {**NAMED, **headers})


def archive(start: Start, **env: str) -> str:
    return start(PIPELINE_STEP="store", BUCKET_NAMES=BUCKET, SERVICE_PUBLIC="false", **env)


def chain(start: Start, **env: str) -> str:
    last = archive(start, OTEL_SERVICE_NAME="archive")
    second = start(
        PIPELINE_STEP="extract", SERVICE_PUBLIC="false", SERVICE_URLS=json.dumps({"archive": last})
    )
    return start(PIPELINE_STEP="receive", SERVICE_URLS=json.dumps({"extract": second}), **env)


@pytest.mark.parametrize(
    "body", [b"one two  three\n", b"", os.urandom(20_000_000)], ids=["text", "empty", "20 MB"]
)
def test_a_document_goes_through_the_chain_and_comes_back(start: Start, cloud: Cloud, body: bytes) -> None:
    gateway = chain(start)
    stored = post(gateway, body, **{"x-document-name": "a%20b.txt"})
    digest = hashlib.sha256(body).hexdigest()
    assert stored.status == 201, stored.body
    answer = stored.json()
    assert len(answer.pop("trace_id")) == 32
    assert answer == {
        "id": digest,
        "sha256": digest,
        "size": len(body),
        "words": len(body.split()),
        "name": "a b.txt",
        "content_type": "text/plain",
        "stored": f"gs://bucket-1/{digest}",
    }
    fetched = ask(gateway, "GET", f"/documents/{digest}")
    assert (fetched.status, fetched.body == body) == (200, True)
    assert fetched.headers["content-type"] == "text/plain"
    assert fetched.headers["x-document-name"] == "a%20b.txt"
    assert fetched.headers["content-length"] == str(len(body))


def test_the_chain_is_one_trace_with_every_parent_present(start: Start, cloud: Cloud, spans: Memory) -> None:
    trace_id = post(chain(start), b"one").json()["trace_id"]
    found = {span.context.span_id: span for span in spans.get_finished_spans()}
    assert {f"{span.context.trace_id:032x}" for span in found.values()} == {trace_id}
    roots = [span for span in found.values() if span.parent is None or span.parent.span_id not in found]
    assert [span.name for span in roots] == ["POST /documents"]
    assert {"storage.store", "document.count_words", "auth.refresh_token"} <= {
        span.name for span in found.values()
    }
    store = next(span for span in found.values() if span.name == "storage.store")
    assert store.attributes is not None
    assert store.attributes["gcp.gcs.bucket"] == "bucket-1"
    failed = [span.name for span in found.values() if span.status.status_code is StatusCode.ERROR]
    assert failed == [], "a look-up that finds nothing is how every new document begins"


def test_storing_again_uploads_nothing_and_answers_alike(start: Start, cloud: Cloud) -> None:
    url = archive(start)
    first, second = post(url, b"x y"), post(url, b"x y", **{"x-document-name": "other.txt"})
    assert (first.status, second.status) == (201, 201)
    assert {**first.json(), "trace_id": ""} == {**second.json(), "trace_id": ""}
    assert len([asked for asked in cloud.requests if asked.path.startswith("/upload/")]) == 1


def test_a_race_lost_to_another_upload_is_success(
    start: Start, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, spans: Memory
) -> None:
    url = archive(start)
    digest = post(url, b"x y").json()["id"]
    monkeypatch.setattr(cloud, "_object", lambda asked: Answer(404))
    again = post(url, b"x y")
    assert (again.status, again.json()["id"], len(cloud.objects)) == (201, digest, 1)
    assert any((span.attributes or {}).get("document.already_stored") for span in spans.get_finished_spans())


def test_storage_is_asked_only_for_requests_and_twice_for_a_small_document(
    start: Start, cloud: Cloud
) -> None:
    url = archive(start)
    assert ask(url, "GET", "/healthz").status == 200
    assert [asked for asked in cloud.requests if "storage" in asked.path] == []
    post(url, b"x")
    assert [asked.method for asked in cloud.requests if "storage" in asked.path] == ["GET", "POST"]
    upload = cloud.requests[-1]
    assert upload.query["ifGenerationMatch"] == ["0"]
    assert upload.headers["authorization"] == "Bearer access-secret"
    meta, _ = next(iter(cloud.objects.values()))
    assert meta["metadata"] == {"name": "a.txt", "words": "1", "sha256": hashlib.sha256(b"x").hexdigest()}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-document-name": ""}, 400),
        ({"x-document-name": "%0A"}, 400),
        ({"content-type": "x" * 300}, 400),
        ({}, 413),
    ],
)
def test_wrong_input_is_a_problem_and_stores_nothing(
    start: Start, cloud: Cloud, headers: dict[str, str], status: int
) -> None:
    refused = post(archive(start, MAX_DOCUMENT_BYTES="10"), b"x" * 11, **headers)
    assert refused.status == status
    assert refused.headers["content-type"] == "application/problem+json"
    assert set(refused.json()) == {"type", "title", "status", "detail", "trace_id"}
    assert cloud.objects == {}


def test_a_chunked_body_is_refused_where_it_passes_the_limit(start: Start, cloud: Cloud) -> None:
    def chunks() -> Iterator[bytes]:
        yield from [b"x" * 8] * 4

    assert post(archive(start, MAX_DOCUMENT_BYTES="30"), chunks()).status == 413
    assert post(archive(start, MAX_DOCUMENT_BYTES="32"), chunks()).status == 201


def test_a_sender_far_beyond_the_limit_still_hears_of_it(start: Start, cloud: Cloud) -> None:
    """Closing the connection early would reset it before the answer is read."""
    assert post(archive(start, MAX_DOCUMENT_BYTES="10"), b"x" * 20_000_000).status == 413


@pytest.mark.parametrize(
    "path", ["/documents/" + "0" * 64, "/documents/nope", "/documents/" + "Z" * 64, "/elsewhere"]
)
def test_an_unknown_document_is_a_404_problem_through_the_chain(
    start: Start, cloud: Cloud, path: str
) -> None:
    missing = ask(chain(start), "GET", path)
    assert (missing.status, missing.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(("public", "believed"), [("true", False), ("false", True)])
def test_a_stranger_s_digest_and_count_are_not_believed(
    start: Start, cloud: Cloud, public: str, believed: bool
) -> None:
    url = start(PIPELINE_STEP="store", BUCKET_NAMES=BUCKET, SERVICE_PUBLIC=public)
    answer = post(url, b"x", **{"x-document-sha256": "a" * 64, "x-document-words": "7"}).json()
    assert (answer["id"] == "a" * 64, answer["words"] == 7) == (believed, believed)


def test_a_begun_write_runs_to_its_end_after_the_caller_s_504(
    start: Start, cloud: Cloud, spans: Memory
) -> None:
    gateway = chain(start)
    post(gateway, b"warm")
    cloud.write_delay = LONG_S
    begun = time.monotonic()
    late = post(gateway, b"slow", **{"x-request-timeout-ms": "500"})
    assert late.status == 504
    assert 0.4 < time.monotonic() - begun < LONG_S / 4
    assert len(late.json()["trace_id"]) == 32
    cloud.wait_for(2, "/upload/storage/v1/b/bucket-1/o")
    cloud.released.set()
    ended = threading.Event()
    for _ in range(600):
        codes = [
            (span.attributes or {}).get("http.response.status_code")
            for span in spans.get_finished_spans()
            if span.name == "POST /documents" and f"{span.context.trace_id:032x}" == late.json()["trace_id"]
        ]
        if len(codes) == 3 or ended.wait(0.05):
            break
    assert sorted(map(str, codes)) == ["201", "504", "504"], "archive ends late, with success"
    assert post(gateway, b"slow").status == 201, "and the retry succeeds at once"


def test_a_look_up_is_part_of_the_write_and_runs_to_its_end_too(start: Start, cloud: Cloud) -> None:
    """Else a far bucket would abort every first attempt after its look-up, and no retry would ever find the document."""
    url = archive(start)
    post(url, b"warm")
    cloud.storage_delay = 0.5
    assert post(url, b"slow", **{"x-request-timeout-ms": "400"}).status == 201
    assert len(cloud.objects) == 2


def test_no_write_begins_after_the_deadline(start: Start, cloud: Cloud) -> None:
    url = archive(start)
    assert post(url, b"x", **{"x-request-timeout-ms": "0"}).status == 504
    assert not cloud.objects


@pytest.mark.parametrize("status", [403, 404])
def test_a_failing_bucket_is_a_502_that_does_not_tell_its_name(
    start: Start, cloud: Cloud, status: int
) -> None:
    cloud.storage_status = status
    failed = post(archive(start), b"x")
    assert failed.status == 502
    assert "bucket-1" not in failed.json()["detail"]


def test_without_a_step_there_are_no_document_routes(start: Start) -> None:
    assert post(start(), b"x").status == 404


def test_a_hop_tells_the_next_what_it_knows_and_what_time_is_left(start: Start, cloud: Cloud) -> None:
    following = Service(Answer(201, b'{"id": "x"}', {"content-type": "application/json"}))
    url = start(following)
    hop = start(PIPELINE_STEP="extract", SERVICE_URLS=json.dumps({"archive": url}), REQUEST_BUDGET_MS="60000")
    assert post(hop, b"one two", **{"x-request-timeout-ms": "30000"}).status == 201
    asked = following.requests[0]
    assert asked.headers["x-document-words"] == "2"
    assert asked.headers["x-document-sha256"] == hashlib.sha256(b"one two").hexdigest()
    assert 15_000 < int(asked.headers["x-request-timeout-ms"]) <= 29_990
    assert asked.headers["authorization"].startswith("Bearer ey")


@pytest.mark.parametrize(
    ("wire", "level", "seconds"),
    [(trickles(HEAD), logging.WARNING, 0.45), (says(HEAD + b"half"), logging.ERROR, 0.0)],
    ids=["trickles", "breaks off"],
)
def test_a_document_that_does_not_come_whole_is_cut_with_one_line(
    start: Start, cloud: Cloud, caplog: pytest.LogCaptureFixture, wire: object, level: int, seconds: float
) -> None:
    """The status has long been sent: that its connection ends early is what the reader can tell it by."""
    url = start(Wire(says(WHOLE), wire))  # type: ignore[arg-type]
    hop = start(PIPELINE_STEP="receive", SERVICE_URLS=json.dumps({"extract": url}))
    path = f"/documents/{'a' * 64}"
    assert ask(hop, "GET", path).body == b"whole"
    begun = time.monotonic()
    with pytest.raises(http.client.IncompleteRead):
        ask(hop, "GET", path, headers={"x-request-timeout-ms": "500"})
    assert seconds <= time.monotonic() - begun < LONG_S / 4
    lines = [record for record in caplog.records if record.name == "app.problems"]
    assert [(line.levelno, vars(line)["event"]) for line in lines] == [(level, "response_cut")]
    assert [record for record in caplog.records if record.exc_info] == []


def test_an_answer_that_trickles_is_a_504_at_the_deadline(start: Start, cloud: Cloud) -> None:
    url = start(Wire(trickles(HEAD)))
    hop = start(PIPELINE_STEP="receive", SERVICE_URLS=json.dumps({"extract": url}), REQUEST_BUDGET_MS="300")
    begun = time.monotonic()
    assert post(hop, b"x").status == 504
    assert time.monotonic() - begun < LONG_S / 4


def test_a_document_is_handed_on_again_as_its_id_makes_that_harmless(start: Start, cloud: Cloud) -> None:
    stored = b'HTTP/1.1 201 Created\r\ncontent-length: 11\r\n\r\n{"id": "x"}'
    wire = Wire(hangs_up, says(stored))
    url = start(wire)
    hop = start(PIPELINE_STEP="receive", SERVICE_URLS=json.dumps({"extract": url}))
    assert (post(hop, b"x").status, wire.connections) == (201, 2)
