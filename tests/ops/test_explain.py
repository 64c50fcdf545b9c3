"""`blueprint explain`, from the command line to the Google-shaped APIs and back."""

from collections.abc import Iterator
from pathlib import Path

import google.auth
import pytest
import typer
from fakegoogle import FakeGoogle, fake_google
from google.auth.credentials import AnonymousCredentials
from handmade import PROJECT, TRACE_ID, log, story
from typer.testing import CliRunner

import ops.explain
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
    assert query == f'trace="projects/{PROJECT}/traces/{TRACE_ID}"'


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
