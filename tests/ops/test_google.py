"""Reading the Google-shaped APIs, and what an operator is told when that fails."""

from collections.abc import Iterator

import google.auth
import pytest
import requests
from fakegoogle import FakeGoogle, fake_google
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError
from google.auth.transport.requests import AuthorizedSession
from handmade import PROJECT, TRACE_ID

from ops.errors import OperatorError
from ops.google import Google, TraceNotFound, Unavailable

TRACE = f"GET /v1/projects/{PROJECT}/traces/{TRACE_ID}"


def refused(reason: str, consumer: str) -> dict[str, object]:
    """Google's own shape of a refusal (google.rpc.ErrorInfo)."""
    info = {"reason": reason, "metadata": {"consumer": consumer}}
    return {"error": {"message": "no", "details": [{"links": []}, info]}}


@pytest.fixture
def fake() -> Iterator[FakeGoogle]:
    with fake_google() as running:
        yield running


@pytest.fixture
def reader(fake: FakeGoogle) -> Google:
    return Google.local(fake.url, PROJECT)


def test_a_span_is_read_with_hex_ids_kind_and_nine_decimals(fake: FakeGoogle, reader: Google) -> None:
    data = {
        "spanId": "12084647744699216188",
        "parentSpanId": "10",
        "kind": "RPC_SERVER",
        "name": "POST /documents",
        "startTime": "2026-11-23T10:00:00.123456789Z",
        "endTime": "2026-11-23T10:00:01Z",
        "labels": {"service.name": "gateway"},
    }
    fake.on(TRACE, (200, {"spans": [data]}))
    (span,) = reader.trace(TRACE_ID).spans
    assert (span.span_id, span.parent_id, span.kind) == ("a7b54b18ba85b13c", "000000000000000a", "SERVER")
    assert span.duration_ns == 876_543_211
    assert span.service == "gateway"


def test_a_root_and_an_unfinished_span_are_read(fake: FakeGoogle, reader: Google) -> None:
    fake.on(
        TRACE,
        (200, {"spans": [{"spanId": "1", "parentSpanId": "0", "startTime": "2026-11-23T10:00:00+01:00"}]}),
    )
    (span,) = reader.trace(TRACE_ID).spans
    assert (span.parent_id, span.kind, span.duration_ns) == ("", "INTERNAL", 0)


@pytest.mark.parametrize(
    ("end", "duration_ns"),
    [
        ("2026-11-23T10:00:00.5Z", 5 * 10**8),
        ("2026-11-23T12:00:00.000000001+02:00", 1),
        ("2026-11-23T09:00:00Z", 0),
    ],
)
def test_times_may_have_any_number_of_decimals_and_an_offset_but_never_run_backwards(
    fake: FakeGoogle, reader: Google, end: str, duration_ns: int
) -> None:
    fake.on(TRACE, (200, {"spans": [{"spanId": "1", "startTime": "2026-11-23T10:00:00Z", "endTime": end}]}))
    assert reader.trace(TRACE_ID).spans[0].duration_ns == duration_ns


@pytest.mark.parametrize(
    ("labels", "platform"),
    [
        ({"blueprint.source": "platform", "service.name": "x"}, True),
        ({"/component": "AppServer"}, True),
        ({}, False),
    ],
)
def test_the_platforms_spans_are_told_apart_by_their_labels(
    fake: FakeGoogle, reader: Google, labels: dict[str, str], platform: bool
) -> None:
    fake.on(TRACE, (200, {"spans": [{"spanId": "1", "startTime": "2026-11-23T10:00:00Z", "labels": labels}]}))
    assert reader.trace(TRACE_ID).spans[0].is_platform is platform


def test_labels_of_the_deprecated_exporter_mean_the_same(fake: FakeGoogle, reader: Google) -> None:
    labels = {
        "/http/status_code": "504",
        "/http/host": "extract.run.app",
        "g.co/r/cloud_run_revision/service_name": "gateway-dev",
        "g.co/r/cloud_run_revision/location": "europe-west1",
    }
    fake.on(TRACE, (200, {"spans": [{"spanId": "1", "startTime": "2026-11-23T10:00:00Z", "labels": labels}]}))
    (span,) = reader.trace(TRACE_ID).spans
    assert (span.http_status, span.failed, span.timed_out) == (504, True, True)
    assert (span.service, span.region, span.host) == ("gateway-dev", "europe-west1", "extract.run.app")


def test_entries_are_read_page_by_page_with_the_filter(fake: FakeGoogle, reader: Google) -> None:
    pages = [
        (200, {"entries": [{"insertId": "a"}], "nextPageToken": "more"}),
        (200, {"entries": [{"insertId": "b"}]}),
    ]
    fake.on("POST /v2/entries:list", *pages)
    assert [entry["insertId"] for entry in reader.entries('severity="ERROR"')] == ["a", "b"]
    bodies = [body for _, _, body in fake.seen]
    assert [body.get("pageToken") for body in bodies] == [None, "more"]
    assert bodies[1]["filter"] == 'severity="ERROR"'
    assert bodies[1]["resourceNames"] == [f"projects/{PROJECT}"]


def test_a_search_that_does_not_end_is_given_up_and_said_so(fake: FakeGoogle, reader: Google) -> None:
    """What was cut off could be what matters."""
    fake.on("POST /v2/entries:list", (200, {"entries": [], "nextPageToken": "more"}))
    with pytest.raises(OperatorError, match="The search for log entries was not at its end after 40 pages"):
        reader.entries("")


def test_alerts_are_read_page_by_page(fake: FakeGoogle, reader: Google) -> None:
    pages = [
        (200, {"alerts": [{"name": "a"}], "nextPageToken": "x y"}),
        (200, {"alerts": [{"name": "b"}]}),
        (200, {}),
    ]
    fake.on(f"GET /v3/projects/{PROJECT}/alerts", *pages)
    assert [alert["name"] for alert in reader.alerts()] == ["a", "b"]
    assert fake.seen[-1][1].endswith("?pageToken=x+y")
    assert reader.alerts() == []


def test_a_buckets_location_is_written_as_cloud_run_writes_regions(fake: FakeGoogle, reader: Google) -> None:
    fake.on("GET /storage/v1/b/documents", (200, {"location": "EUROPE-SOUTHWEST1"}))
    assert reader.bucket_location("documents") == "europe-southwest1"


@pytest.mark.parametrize("answer", [(403, {}), (404, {}), (200, {}), (200, "<html>")])
def test_a_bucket_that_cannot_be_read_has_no_location(
    fake: FakeGoogle, reader: Google, answer: tuple[int, object]
) -> None:
    fake.on("GET /storage/v1/b/documents", answer)
    assert reader.bucket_location("documents") is None


def test_a_hostile_bucket_name_stays_one_path_segment(fake: FakeGoogle, reader: Google) -> None:
    assert reader.bucket_location("../../v3?x=1") is None
    assert fake.seen[0][1] == "/storage/v1/b/..%2F..%2Fv3%3Fx%3D1"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((401, {}), "gcloud auth application-default login"),
        ((403, {"error": {"message": "denied"}}), "grant yourself roles/cloudtrace.user"),
        (
            (403, {"error": {"details": [{"reason": "SERVICE_DISABLED"}]}}),
            "gcloud services enable cloudtrace.googleapis.com",
        ),
        (
            (403, refused("SERVICE_DISABLED", "projects/764086051850")),
            f"the credentials have no quota project: run `gcloud auth application-default set-quota-project {PROJECT}`",
        ),
        (
            (403, refused("USER_PROJECT_DENIED", "projects/other")),
            "you lack roles/serviceusage.serviceUsageConsumer on other, which pays for your reads: run "
            f"`gcloud auth application-default set-quota-project {PROJECT}`",
        ),
        (
            (403, refused("USER_PROJECT_DENIED", f"projects/{PROJECT}")),
            f"run `gcloud projects add-iam-policy-binding {PROJECT} --member",
        ),
        ((429, "slow \x1b[2J down"), r"failed with 429: slow \x1b[2J down; try again"),
        ((200, "<html>"), "is it the right address?"),
        ((200, {"spans": [{"spanId": "one"}]}), "a span that cannot be read"),
    ],
)
def test_a_refusal_is_one_sentence_with_the_remedy(
    fake: FakeGoogle, reader: Google, answer: tuple[int, object], told: str
) -> None:
    fake.on(TRACE, answer)
    with pytest.raises(OperatorError) as caught:
        reader.trace(TRACE_ID)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "passes"), [(429, True), (503, True), (400, False), (401, False), (403, False)]
)
def test_what_may_be_answered_later_is_told_apart(
    fake: FakeGoogle, reader: Google, status: int, passes: bool
) -> None:
    fake.on(TRACE, (status, {}))
    with pytest.raises(OperatorError) as caught:
        reader.trace(TRACE_ID)
    assert isinstance(caught.value, Unavailable) is passes


@pytest.mark.parametrize("address", ["localhost:45961", "127.0.0.1:8080", "http://", ""])
def test_an_address_that_is_none_is_refused_with_its_form(address: str) -> None:
    with pytest.raises(
        OperatorError, match=r"--endpoint has value .*; give an address with http:// before it"
    ):
        Google.local(address)


@pytest.mark.parametrize("answer", [(404, {}), (200, {"spans": []})])
def test_an_unknown_trace_is_told_apart_from_other_mistakes(
    fake: FakeGoogle, reader: Google, answer: tuple[int, object]
) -> None:
    fake.on(TRACE, answer)
    with pytest.raises(
        TraceNotFound, match="is not in project demo-project: spans arrive some seconds after"
    ):
        reader.trace(TRACE_ID)


def test_an_address_where_nothing_listens_is_named() -> None:
    with fake_google() as gone:
        pass
    with pytest.raises(OperatorError, match=r"127\.0\.0\.1:\d+ cannot be reached .* is it running\?"):
        Google.local(gone.url, PROJECT).trace(TRACE_ID)


def test_a_local_cloud_tells_its_project(fake: FakeGoogle) -> None:
    fake.on("GET /blueprint.json", (200, {"project": "local-project"}))
    assert Google.local(fake.url + "/").project == "local-project"


def test_missing_credentials_are_one_sentence_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(scopes: object) -> None:
        raise DefaultCredentialsError("a long story")

    monkeypatch.setattr(google.auth, "default", none)
    with pytest.raises(
        OperatorError,
        match=r"^No Google credentials were found: run `gcloud auth application-default login`; ",
    ):
        Google(PROJECT)


def test_credentials_go_to_google_and_to_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(google.auth, "default", lambda scopes: (AnonymousCredentials(), "own-project"))  # type: ignore[no-untyped-call]
    assert isinstance(Google(PROJECT)._session, AuthorizedSession)
    assert Google.default().project == "own-project"
    for elsewhere in (
        "http://127.0.0.1:8080",
        "http://logging.googleapis.com",
        "https://googleapis.com.evil.example",
    ):
        session = Google(PROJECT, logging_url=elsewhere)._session
        assert type(session) is requests.Session
        assert session.trust_env is False
