"""app/storage.py: its deadlines, its retries and its token. What it stores is tested through app/routes.py."""

import time
from datetime import timedelta

import pytest
from app_clients import within
from app_fakes import Answer, Asked, Cloud
from app_wires import HEAD, LONG_S, Wire, reads_nothing, says_nothing, trickles
from conftest import Memory, Start
from google.auth import _helpers

from app import retries
from app.documents import Document
from app.problems import Problem
from app.storage import Bucket

DOCUMENT = Document("a.txt", "text/plain", b"one two", "a" * 64, 2)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without long pauses."""
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.001)


@pytest.fixture
def bucket(cloud: Cloud) -> Bucket:
    """A bucket that has been used, so that nothing is done for the first time."""
    bucket = Bucket("bucket-1", "p")
    bucket.store(DOCUMENT, within(60))
    cloud.requests.clear()
    return bucket


def events(spans: Memory, name: str) -> list[dict[str, object]]:
    span = next(span for span in spans.get_finished_spans() if span.name == name)
    return [dict(event.attributes or {}) for event in span.events if event.name == "retry"]


def failing(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, *answers: Answer) -> None:
    """Let storage give these answers first."""
    plain, left = cloud._storage, list(answers)
    monkeypatch.setattr(cloud, "_storage", lambda asked: left.pop(0) if left else plain(asked))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_error_is_mended_and_seen(
    bucket: Bucket, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, spans: Memory, status: int
) -> None:
    failing(cloud, monkeypatch, Answer(status, b"{}"))
    assert bucket.fetch("a" * 64, within(30)).data == b"one two"
    (event,) = events(spans, "storage.fetch")
    assert event["attempt"] == 2
    assert event["cause"]


@pytest.mark.parametrize("status", [400, 401, 403, 412])
def test_a_last_word_is_not_asked_again(
    bucket: Bucket, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    cloud.storage_status = status
    with pytest.raises(Problem) as raised:
        bucket.fetch("a" * 64, within(30))
    assert raised.value.status == 502
    assert len(cloud.requests) == 1


def test_an_outage_ends_after_three_attempts(bucket: Bucket, cloud: Cloud) -> None:
    cloud.storage_status = 503
    with pytest.raises(Problem, match=r"The document storage failed\."):
        bucket.fetch("a" * 64, within(30))
    assert len(cloud.requests) == 3


def test_a_stalled_attempt_leaves_time_for_a_second_one(
    bucket: Bucket, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(cloud, monkeypatch, Answer(delay=LONG_S))
    monkeypatch.setattr(retries, "LONGEST_ATTEMPT_S", 0.5)
    begun = time.monotonic()
    assert bucket.fetch("a" * 64, within(LONG_S)).data == b"one two"
    assert time.monotonic() - begun < LONG_S / 4


def test_an_upload_whose_answer_was_lost_is_no_error(
    bucket: Bucket, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = cloud._upload
    answers = iter([503])

    def upload(asked: Asked) -> Answer:
        answer = plain(asked)
        return Answer(next(answers, answer.status), answer.body, answer.headers)

    monkeypatch.setattr(cloud, "_upload", upload)
    bucket.store(Document("b.txt", "text/plain", b"b", "b" * 64, 1), within(30))
    assert "b" * 64 in cloud.objects


@pytest.fixture(params=[says_nothing, trickles(HEAD), reads_nothing], ids=["silence", "body", "full pipe"])
def slow(request: pytest.FixtureRequest, start: Start, bucket: Bucket) -> None:
    """Storage from now on behaves like this."""
    url = start(Wire(request.param))
    assert bucket._client is not None
    bucket._client._connection.API_BASE_URL = url


@pytest.mark.parametrize("size", [7, 20_000_000])
def test_no_way_of_being_slow_outlasts_the_deadline(bucket: Bucket, slow: None, size: int) -> None:
    begun = time.monotonic()
    document = Document("a.txt", "text/plain", b"x" * size, "c" * 64, 2)
    limit = within(0.3)
    with (
        pytest.raises(TimeoutError, match="bucket bucket-1 gave no answer in time"),
        bucket._span("x", "c", limit),
    ):
        bucket._upload(bucket._bucket().blob("c" * 64), document, limit)
    assert time.monotonic() - begun < LONG_S / 4


def test_storage_works_on_with_a_token_whose_early_refresh_fails(
    bucket: Bucket, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library would refresh it itself, and fail."""
    assert bucket._client is not None
    token = bucket._client._credentials._refreshed
    token._credentials.expiry = _helpers.utcnow() + timedelta(seconds=60)
    token._not_before = 0.0
    monkeypatch.setattr(cloud, "_metadata", lambda asked: Answer(404, b"none"))
    assert bucket.fetch("a" * 64, within(30)).data == b"one two"
