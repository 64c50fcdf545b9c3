"""`blueprint explain`, from the command line to the Google-shaped APIs and back."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import google.auth
import pytest
import typer
from fakegoogle import FakeGoogle, fake_google
from google.auth.credentials import AnonymousCredentials
from handmade import PROJECT, TRACE_ID, log, server, story, trace, v1
from typer.testing import CliRunner

import ops.explain
from localcloud.logs.query import compile_query
from ops.errors import OperatorError
from ops.explain import explain
from ops.google import Google

APP = typer.Typer()
APP.command()(explain)


@pytest.fixture
def fake() -> Iterator[FakeGoogle]:
    with fake_google() as running:
        running.serve(
            story(), [log(3, "INFO", "document accepted", 1)], {"documents-overseas": "AUSTRALIA-SOUTHEAST1"}
        )
        yield running


@pytest.fixture(autouse=True)
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a local cloud of this checkout would leave its address; a developer's own one is not seen."""
    monkeypatch.setattr(ops.explain, "RUNNING", tmp_path / "endpoint")
    monkeypatch.setattr(google.auth, "default", lambda scopes: (AnonymousCredentials(), None))  # type: ignore[no-untyped-call]
    return tmp_path / "endpoint"


def run(*arguments: str) -> str:
    result = CliRunner().invoke(APP, arguments, env={"COLUMNS": "100"})
    if result.exception is not None:
        raise result.exception
    return " ".join(result.output.split())


@pytest.mark.parametrize(
    "form", [TRACE_ID, f"projects/{PROJECT}/traces/{TRACE_ID}", f"00-{TRACE_ID}-00f067aa0ba902b7-01"]
)
def test_the_story_is_explained_from_the_apis_alone(fake: FakeGoogle, form: str) -> None:
    output = run(form, "--endpoint", fake.url)
    assert "504 sent to the client here, at 1,000 ms" in output
    assert "INFO document accepted" in output
    assert output.endswith("the service runs in europe-southwest1; put the bucket into the service's region.")
    asked = [(method, target) for method, target, _ in fake.seen]
    assert ("GET", "/storage/v1/b/documents-overseas") in asked
    (query,) = [body["filter"] for method, _, body in fake.seen if method == "POST"]
    assert query.startswith(f'trace="projects/{PROJECT}/traces/{TRACE_ID}" AND timestamp>="')
    matches = compile_query(query)
    mine = {"trace": f"projects/{PROJECT}/traces/{TRACE_ID}"}
    assert matches(log(3, "INFO", "document accepted", 1) | mine)
    assert not matches(log(2 * 3600 * 1000, "INFO", "of another day", 1) | mine)


def test_without_the_right_to_read_logs_the_trace_is_shown_and_the_remedy_named(fake: FakeGoogle) -> None:
    fake.on("POST /v2/entries:list", (403, {}))
    output = run(TRACE_ID, "--endpoint", fake.url)
    assert "archive spent 1,085 ms in storage.store" in output
    assert output.endswith(
        "No logs are shown. Reading log entries of project 'demo-project' is refused (403): grant yourself roles/logging.viewer there."
    )


def test_a_trace_with_all_expected_services_is_whole(fake: FakeGoogle) -> None:
    """Spaces and a comma at the end are no services."""
    assert "504 sent to the client here" in run(
        TRACE_ID, "--endpoint", fake.url, "--expect", "gateway, extract,archive,"
    )


def test_services_without_a_span_are_named_after_the_explanation(fake: FakeGoogle) -> None:
    """What is there is shown; the status is 1, so that a pipeline waits or stops. Cloud Run's own spans are no service's."""
    result = CliRunner().invoke(
        APP, [TRACE_ID, "--endpoint", fake.url, "--expect", "billing,gateway,archive-local,stock"]
    )
    assert "504 sent to the client here" in " ".join(result.output.split())
    assert isinstance(result.exception, OperatorError)
    assert str(result.exception).startswith(
        f"Trace {TRACE_ID} has no span of billing, archive-local, stock: spans arrive some seconds after the request"
    )


def test_the_project_of_a_full_trace_name_wins(fake: FakeGoogle) -> None:
    with pytest.raises(OperatorError, match="is not in project other"):
        run(f"projects/other/traces/{TRACE_ID}", "--project", PROJECT, "--endpoint", fake.url)


@pytest.mark.parametrize(
    "arguments", [(TRACE_ID,), (TRACE_ID, "--project", PROJECT), (f"projects/{PROJECT}/traces/{TRACE_ID}",)]
)
def test_the_local_cloud_that_runs_here_is_found(
    fake: FakeGoogle, running: Path, arguments: tuple[str, ...]
) -> None:
    running.write_text(fake.url)
    assert "504 sent to the client here" in run(*arguments)


def test_another_project_than_the_local_clouds_is_googles(
    fake: FakeGoogle, running: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.write_text(fake.url)
    asked: list[str | None] = []

    def default(project: str | None) -> Google:
        asked.append(project)
        raise OperatorError("no network here")

    monkeypatch.setattr(Google, "default", default)
    for address in (fake.url, "http://127.0.0.1:1"):
        running.write_text(address)
        with pytest.raises(OperatorError, match="no network here"):
            run(TRACE_ID, "--project", "prod")
    assert asked == ["prod", "prod"]


def test_without_a_project_the_remedy_is_named() -> None:
    with pytest.raises(OperatorError, match="No project is known: give --project"):
        run(TRACE_ID)


def test_a_bad_id_is_refused_before_anything_is_read(fake: FakeGoogle) -> None:
    with pytest.raises(OperatorError, match="is not a trace id"):
        run("latest", "--endpoint", fake.url)
    assert fake.seen == []


# ---- --json --------------------------------------------------------------------------------------------------------


def test_json_is_the_record_and_nothing_else_on_stdout(fake: FakeGoogle) -> None:
    result = CliRunner().invoke(APP, [TRACE_ID, "--endpoint", fake.url, "--json"])
    told = json.loads(result.stdout)
    assert (told["trace_id"], told["status"], told["verdict"]["cause"]) == (
        TRACE_ID,
        504,
        "cross_region_storage",
    )
    assert result.stderr == ""


def test_what_lacks_for_the_json_is_said_on_stderr(fake: FakeGoogle) -> None:
    fake.on("POST /v2/entries:list", (403, {}))
    result = CliRunner().invoke(APP, [TRACE_ID, "--endpoint", fake.url, "--json"])
    assert json.loads(result.stdout)["verdict"]["service"] == "archive"
    assert result.stderr.startswith("No logs are shown. Reading log entries")
    assert result.exit_code == 0


def test_json_is_printed_before_expected_services_are_missed(fake: FakeGoogle) -> None:
    result = CliRunner().invoke(APP, [TRACE_ID, "--endpoint", fake.url, "--json", "--expect", "billing"])
    assert json.loads(result.stdout)["status"] == 504
    assert "has no span of billing" in str(result.exception)
    assert result.exit_code == 1


def test_no_credential_of_a_failure_reaches_the_json(fake: FakeGoogle) -> None:
    told = {"otel__status_description": "ValueError: password=abcdef123456"}
    fake.serve(trace(server(1, 0, "gateway", 0, 50, 500, **told)), [], {})
    output = run(TRACE_ID, "--endpoint", fake.url, "--json")
    assert "abcdef123456" not in output
    assert "password=[redacted]" in output


# ---- --latest-error ------------------------------------------------------------------------------------------------

NEWER, OLDER = "b" * 32, "a" * 32


def failure(age_s: float, trace_id: str, service: str = "gateway") -> dict[str, Any]:
    """An entry of a failed request, so many seconds ago."""
    at = (datetime.now(UTC) - timedelta(seconds=age_s)).isoformat().replace("+00:00", "Z")
    named = {"timestamp": at, "trace": f"projects/{PROJECT}/traces/{trace_id}"}
    return log(0, "ERROR", "failed", 0, service) | named


def serve_spans(fake: FakeGoogle, trace_id: str, *arriving: bool) -> None:
    """The trace is there, or not yet, each time that it is asked for."""
    spans = {"projectId": PROJECT, "traceId": trace_id, "spans": [v1(span) for span in story().spans]}
    answers = [(200, spans) if there else (404, {}) for there in arriving]
    fake.on(f"GET /v1/projects/{PROJECT}/traces/{trace_id}", *answers)


def newest(fake: FakeGoogle, *arguments: str) -> str:
    told = json.loads(run("--latest-error", "--endpoint", fake.url, "--json", *arguments))
    return str(told["trace_id"])


def test_the_newest_failed_trace_is_found_by_the_logs(fake: FakeGoogle) -> None:
    fake.on("POST /v2/entries:list", (200, {"entries": [failure(300, NEWER), failure(400, OLDER)]}))
    serve_spans(fake, OLDER, True)
    serve_spans(fake, NEWER, True)
    assert newest(fake) == NEWER
    query = next(body["filter"] for method, _, body in fake.seen if method == "POST")
    assert f'trace:"projects/{PROJECT}/traces/"' in query
    assert query.endswith(" AND (httpRequest.status>=500 OR severity>=ERROR)")
    compile_query(query)


def test_spans_of_a_failure_of_just_now_are_awaited(fake: FakeGoogle) -> None:
    fake.on("POST /v2/entries:list", (200, {"entries": [failure(1, NEWER)]}))
    serve_spans(fake, NEWER, False, False, True)
    assert newest(fake) == NEWER


def test_a_failure_whose_spans_never_came_is_passed_over(fake: FakeGoogle) -> None:
    """Neither is it waited for: spans are late by seconds, not by minutes."""
    fake.on("POST /v2/entries:list", (200, {"entries": [failure(300, NEWER), failure(400, OLDER)]}))
    serve_spans(fake, OLDER, True)
    assert newest(fake) == OLDER
    assert sum(NEWER in target for _, target, _ in fake.seen) == 1


def test_older_failures_are_looked_for_where_there_is_no_newer_one(fake: FakeGoogle) -> None:
    fake.on("POST /v2/entries:list", (200, {}), (200, {"entries": [failure(4000, OLDER)]}))
    serve_spans(fake, OLDER, True)
    assert newest(fake) == OLDER


def test_a_services_own_failures_are_asked_for_by_either_of_its_names(fake: FakeGoogle) -> None:
    """`archive` runs as `archive-local`; `archive-old` is another service."""
    entries = [failure(200, NEWER, "archive-old"), failure(300, OLDER, "archive")]
    fake.on("POST /v2/entries:list", (200, {"entries": entries}))
    serve_spans(fake, OLDER, True)
    other = server(1, 0, "archive-old", 0, 10, 500)
    spans = {"projectId": PROJECT, "traceId": NEWER, "spans": [v1(other)]}
    fake.on(f"GET /v1/projects/{PROJECT}/traces/{NEWER}", (200, spans))
    assert newest(fake, "--service", "archive") == OLDER
    query = next(body["filter"] for method, _, body in fake.seen if method == "POST")
    matches = compile_query(query)
    assert matches(failure(1, OLDER, "archive"))
    assert not matches(failure(1, OLDER, "gateway"))


def test_in_an_incident_the_newest_failures_are_read_and_no_more(fake: FakeGoogle) -> None:
    """Newest first; whoever has found his trace asks for no further page, of which there may be many."""
    found = {"entries": [failure(300, NEWER)], "nextPageToken": "more"}
    fake.on("POST /v2/entries:list", (200, found), (200, {}))
    serve_spans(fake, NEWER, True)
    assert newest(fake) == NEWER
    first, *others = [body for method, _, body in fake.seen if method == "POST"]
    assert (first["orderBy"], "pageToken" in first) == ("timestamp desc", False)
    assert len(others) == 1, "the entries of the trace that was found"


def test_after_twenty_failed_traces_without_spans_it_is_given_up(fake: FakeGoogle) -> None:
    """Each takes a read; the 21st is not asked for."""
    entries = [failure(300 + n, f"{n:032x}") for n in range(1, 30)]
    fake.on("POST /v2/entries:list", (200, {"entries": entries, "nextPageToken": "more"}))
    with pytest.raises(OperatorError, match="but left no span, as far as the newest 20 failed traces tell"):
        run("--latest-error", "--endpoint", fake.url)
    assert sum("/traces/" in target for _, target, _ in fake.seen) == 20
    assert sum(method == "POST" for method, _, _ in fake.seen) == 1


def test_failures_of_a_service_whose_name_begins_alike_are_not_ones_own(fake: FakeGoogle) -> None:
    """Neither are they said to be without spans."""
    fake.on("POST /v2/entries:list", (200, {"entries": [failure(300, NEWER, "shop-api")]}))
    spans = {"projectId": PROJECT, "traceId": NEWER, "spans": [v1(server(1, 0, "shop-api", 0, 10, 500))]}
    fake.on(f"GET /v1/projects/{PROJECT}/traces/{NEWER}", (200, spans))
    with pytest.raises(OperatorError, match="No request of shop with a trace failed in project demo-project"):
        run("--latest-error", "--service", "shop", "--endpoint", fake.url)
    others = [failure(300 + n, f"{n:032x}", "shop-api") for n in range(1, 30)]
    fake.on("POST /v2/entries:list", (200, {"entries": others}))
    for entry in others:
        trace_id = entry["trace"].rpartition("/")[2]
        fake.on(f"GET /v1/projects/{PROJECT}/traces/{trace_id}", (200, {**spans, "traceId": trace_id}))
    with pytest.raises(
        OperatorError, match="are of services whose names begin with shop, and none of its own"
    ):
        run("--latest-error", "--service", "shop", "--endpoint", fake.url)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([], "No request of gateway with a trace failed in project demo-project within 30 days"),
        ([{"trace": "odd"}], "No request of gateway with a trace failed"),
        (
            [failure(300, NEWER)],
            "Requests of gateway-local failed in project demo-project, but left no span, as far as the newest 1 failed",
        ),
    ],
)
def test_if_there_is_no_failed_trace_one_sentence_says_so(
    fake: FakeGoogle, entries: list[dict[str, Any]], said: str
) -> None:
    fake.on("POST /v2/entries:list", (200, {"entries": entries}))
    with pytest.raises(OperatorError, match=said):
        run("--latest-error", "--service", "gateway", "--endpoint", fake.url)


# ---- --compare -----------------------------------------------------------------------------------------------------


def test_two_traces_are_compared(fake: FakeGoogle) -> None:
    serve_spans(fake, NEWER, True)
    output = run("--compare", TRACE_ID, NEWER, "--endpoint", fake.url)
    assert output.endswith("B took as long as A (1,000 ms); the cause of both is cross_region_storage.")
    told = json.loads(run("--compare", TRACE_ID, NEWER, "--endpoint", fake.url, "--json"))
    assert list(told) == ["a", "b", "changes", "sentence"]
    assert (told["a"]["trace_id"], told["b"]["trace_id"]) == (TRACE_ID, NEWER)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Give exactly one of TRACE_ID, --latest-error and --compare A B, not none."),
        ((TRACE_ID, "--latest-error"), "not TRACE_ID and --latest-error."),
        ((TRACE_ID, "--compare", OLDER, NEWER), "not TRACE_ID and --compare A B."),
        ((TRACE_ID, "--service", "gateway"), "--service gateway says whose failure to look for"),
        (("--compare", OLDER, NEWER, "--expect", "gateway"), "--expect gateway is of one trace"),
        (("--latest-error", "--service", 'x" OR "'), "is no service's name"),
        (("--compare", f"projects/p/traces/{OLDER}", f"projects/q/traces/{NEWER}"), "traces of p and q"),
    ],
)
def test_options_that_do_not_go_together_are_refused_in_a_sentence(
    fake: FakeGoogle, arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(OperatorError, match=re.escape(said)):
        run(*arguments, "--endpoint", fake.url)
