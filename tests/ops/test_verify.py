"""`blueprint verify`, from the command line to the Google-shaped APIs and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from fakegoogle import FakeGoogle, fake_google
from handmade import AUSTRALIA, PROJECT, SPAIN, TRACE_ID, healthy
from test_deployment import CONFIG, OUTPUTS
from typer.testing import CliRunner
from verify_world import CHAIN, World, deployment, requests

import ops.verify.command
import ops.verify.probe
from ops.deployment import Bucket, Deployment
from ops.errors import OperatorError
from ops.google import Google, Unavailable
from ops.verify.command import of_stack, verify
from ops.verify.patience import patiently
from ops.verify.standing import alert_policies, bucket_locations, locations_of
from ops.verify.verification import Wish, verification

APP = typer.Typer()
APP.command()(verify)
POLICY = f"projects/{PROJECT}/alertPolicies/1"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeGoogle]:
    """A healthy local cloud, whose gateway is at the same address."""
    monkeypatch.setattr(ops.verify.command, "RUNNING", tmp_path / "endpoint")
    monkeypatch.setattr(ops.verify.probe, "kept_trace_id", lambda ratio: TRACE_ID)
    with fake_google() as running:
        running.serve(healthy(), requests(*CHAIN), {"documents": SPAIN.upper()})
        running.on("POST /documents", (201, {"trace_id": TRACE_ID}))
        running.on("GET /", (200, {"trace_id": TRACE_ID}))
        running.on(f"GET /v3/projects/{PROJECT}/alertPolicies", (200, {"alertPolicies": [{"name": POLICY}]}))
        deployed(running, deployment(stack="local"))
        yield running


def deployed(fake: FakeGoogle, found: Deployment) -> None:
    services = {name: replace(each, url=fake.url) for name, each in found.services.items()}
    record = replace(found, services=services).record()
    fake.on("GET /blueprint.json", (200, {"project": PROJECT, "deployment": record}))


def run(*arguments: str) -> tuple[int, str]:
    """The exit status and what is printed, on one line."""
    result = CliRunner().invoke(APP, arguments, env={"COLUMNS": "200"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, " ".join(result.stdout.split())


def test_a_healthy_stack_is_all_ok_and_ends_with_where_to_look(fake: FakeGoogle) -> None:
    status, output = run("--endpoint", fake.url)
    assert status == 0
    assert "spans of every service 7 spans of gateway, extract, archive ✓ parents" in output
    assert output.endswith(f"trace: {fake.url}/traces/{TRACE_ID}")


def test_the_running_local_cloud_is_found(fake: FakeGoogle, tmp_path: Path) -> None:
    (tmp_path / "endpoint").write_text(fake.url, encoding="utf-8")
    assert run()[0] == 0


def test_json_is_all_that_is_printed_and_the_status_agrees(fake: FakeGoogle) -> None:
    """For pipelines: also where something is wrong."""
    fake.on(f"GET /v3/projects/{PROJECT}/alertPolicies", (200, {}))
    status, output = run("--endpoint", fake.url, "--json")
    told = json.loads(output)
    assert (status, told["ok"]) == (1, False)
    assert list(told["checks"][0]) == ["name", "ok", "detail", "remedy"]
    failed = {check["name"]: check for check in told["checks"] if not check["ok"]}
    assert list(failed) == ["alert policies"]
    assert failed["alert policies"]["detail"] == "1 of 1 are gone: Timeouts."


def test_with_nothing_deployed_it_is_one_sentence(fake: FakeGoogle) -> None:
    with pytest.raises(
        OperatorError, match="no local cloud runs here; keep `make local` running, or name a deployed"
    ):
        run()
    fake.on("GET /blueprint.json", (200, {"project": PROJECT}))
    with pytest.raises(OperatorError, match="has deployed nothing yet"):
        run("--endpoint", fake.url)


def test_what_google_does_not_answer_once_is_read_again(fake: FakeGoogle) -> None:
    """A burst of 429 and 503 is no fault of the stack: spans, logs, buckets and alert policies alike."""
    reads = (
        f"GET /v1/projects/{PROJECT}/traces/{TRACE_ID}",
        "POST /v2/entries:list",
        "GET /storage/v1/b/documents",
        f"GET /v3/projects/{PROJECT}/alertPolicies",
    )
    for read, status in zip(reads, (503, 429, 500, 429), strict=True):
        fake.on(read, (status, {"error": {"message": "slow down"}}), *fake.answers[read])
    status, output = run("--endpoint", fake.url)
    assert status == 0, output


def test_an_address_without_its_scheme_is_refused_with_the_remedy(fake: FakeGoogle) -> None:
    with pytest.raises(
        OperatorError, match=r"--endpoint has value 'localhost:1'; give an address with http://"
    ):
        run("--endpoint", "localhost:1")


def test_an_address_that_a_killed_cloud_left_is_none(fake: FakeGoogle, tmp_path: Path) -> None:
    (tmp_path / "endpoint").write_text("http://127.0.0.1:9", encoding="utf-8")
    with pytest.raises(OperatorError, match="no local cloud runs here"):
        run()


def test_the_record_of_another_version_is_one_sentence(fake: FakeGoogle) -> None:
    fake.on(
        "GET /blueprint.json", (200, {"project": PROJECT, "deployment": {"services": {"a": {"calls": []}}}})
    )
    with pytest.raises(OperatorError, match="started by another version"):
        run("--endpoint", fake.url)


def test_the_log_of_a_request_that_failed_is_read_where_the_cloud_runs(fake: FakeGoogle) -> None:
    """The command can be copied: its program is not on PATH, and the cloud is not the one of this checkout."""
    fake.on("POST /documents", (400, {"trace_id": TRACE_ID}))
    check = json.loads(run("--endpoint", fake.url, "--json")[1])["checks"][0]
    assert f"`.venv/bin/blueprint explain {TRACE_ID} --endpoint {fake.url}`" in check["remedy"]


def test_no_answer_and_a_closed_door_leave_nothing_to_follow(fake: FakeGoogle) -> None:
    """The checks of the trace are left out; the others stand."""
    fake.on("POST /documents", (403, "Forbidden"))
    status, output = run("--endpoint", fake.url, "--json")
    checks = json.loads(output)["checks"]
    assert [check["name"] for check in checks] == ["reachable", "kept", "alert policies", "bucket locations"]
    assert "let allUsers invoke it" in checks[0]["remedy"]
    assert status == 1


def test_a_stack_that_strangers_cannot_call_says_who_can(fake: FakeGoogle) -> None:
    found = deployment(stack="local")
    private = {name: replace(each, public=False) for name, each in found.services.items()}
    deployed(fake, replace(found, services=private))
    fake.on("POST /documents", (403, "Forbidden"))
    check = json.loads(run("--endpoint", fake.url, "--json")[1])["checks"][0]
    assert "gateway is private and no ID token of yours opens it" in check["remedy"]


def test_a_path_that_one_service_answers_by_itself_needs_no_other(fake: FakeGoogle) -> None:
    fake.serve(replace(healthy(), spans=healthy().spans[:1]), requests("gateway"), {"documents": SPAIN})
    deployed(fake, deployment(stack="local"))
    assert run("--endpoint", fake.url, "--request", "GET /")[0] == 0


def test_what_a_request_does_not_lead_to_is_told_as_not_verified(fake: FakeGoogle) -> None:
    """`GET /` of a stack of one's own reaches the entry alone: the rest may be dead."""
    fake.serve(replace(healthy(), spans=healthy().spans[:1]), requests("gateway"), {"documents": SPAIN})
    found = deployment(stack="local")
    own = {name: replace(each, step="") for name, each in found.services.items()}
    deployed(fake, replace(found, services=own))
    status, output = run("--endpoint", fake.url)
    assert status == 0
    assert "spans 1 spans of gateway; not verified by GET /: extract, archive (see --request" in output
    assert "spans of every service" not in output


def with_thumbs(fake: FakeGoogle, **changes: Any) -> None:
    """A private service that no other one calls, as `new-service` makes it without `--called-by`."""
    found = deployment(stack="local")
    thumbs = replace(found.services["archive"], name="thumbs", run_name="thumbs-local", calls=(), **changes)
    deployed(fake, replace(found, services={**found.services, "thumbs": thumbs}))


def test_a_service_that_nothing_leads_to_is_asked_itself(fake: FakeGoogle) -> None:
    """And by its own request: `--request` is for the entry."""
    with_thumbs(fake)
    fake.on("GET /", (503, {}))
    status, output = run("--endpoint", fake.url, "--json", "--request", "POST /documents", "--timeout", "1")
    checks = {check["name"]: check for check in json.loads(output)["checks"]}
    assert status == 1
    assert checks["spans of every service (gateway)"]["ok"]
    assert checks["reachable (thumbs)"]["detail"].startswith("GET / to thumbs was answered 503")


@pytest.mark.parametrize(
    ("status", "ingress", "remedy"),
    [
        (403, "all", "thumbs is private and no ID token of yours opens it: be a service account"),
        (404, "internal", "verify from where its ingress (internal) lets you in"),
        (404, "all", 'name a request that the service knows: --expect thumbs --request "GET /path"'),
    ],
)
def test_a_service_that_is_expected_and_cannot_be_asked_is_a_failure_that_says_how_to_go_on(
    fake: FakeGoogle, status: int, ingress: str, remedy: str
) -> None:
    with_thumbs(fake, ingress=ingress)
    fake.on("GET /", (status, "closed"))
    told = json.loads(run("--endpoint", fake.url, "--json", "--timeout", "1", "--expect", "thumbs")[1])[
        "checks"
    ]
    (check,) = [check for check in told if check["name"] == "reachable"]
    assert not check["ok"]
    followed = "entry span" in [check["name"] for check in told]
    assert followed is (status == 404 and ingress == "all"), "what the front end refused left no trace"
    assert check["remedy"].startswith(remedy)
    assert run("--endpoint", fake.url, "--expect", "gateway")[0] == 0


@pytest.mark.parametrize(("status", "ingress"), [(403, "all"), (401, "all"), (404, "internal")])
def test_a_shut_door_that_nobody_asked_for_is_told_and_fails_no_pipeline(
    fake: FakeGoogle, status: int, ingress: str
) -> None:
    """A pipeline's deployer may invoke nothing: what only a scheduler calls is not known to be wrong."""
    with_thumbs(fake, ingress=ingress)
    fake.on("GET /", (status, "closed"))
    done, output = run("--endpoint", fake.url, "--json", "--timeout", "1")
    assert done == 0
    (check,) = [check for check in json.loads(output)["checks"] if check["name"].startswith("not verified")]
    assert check["detail"].startswith("thumbs: nothing leads to it, and GET / was answered ")


def test_the_example_s_document_goes_to_the_first_of_a_step_s_calls(fake: FakeGoogle) -> None:
    """The others are for routes of a team's own: each is asked itself, unless a request of theirs is named."""
    found = deployment(stack="local")
    thumbs = replace(found.services["archive"], name="thumbs", run_name="thumbs-local", calls=(), step="")
    gateway = replace(found.services["gateway"], calls=("extract", "thumbs"))
    changed = replace(found, services={**found.services, "gateway": gateway, "thumbs": thumbs})
    assert changed.along_calls("gateway", document=True) == ["gateway", "extract", "archive"]
    assert changed.along_calls("gateway") == ["gateway", "extract", "thumbs", "archive"]
    assert [door.name for door in changed.doors(document=True)] == ["gateway", "thumbs"]
    assert [door.name for door in changed.doors()] == ["gateway"]


@pytest.mark.parametrize(
    ("expect", "asked"),
    [
        ("thumbs", {"GET /"}),
        ("gateway,thumbs", {"POST /documents", "GET /"}),
        ("extract,thumbs", {"POST /documents", "GET /"}),
        ("archive", {"POST /documents"}),
    ],
)
def test_whoever_leads_to_what_is_expected_is_asked(fake: FakeGoogle, expect: str, asked: set[str]) -> None:
    with_thumbs(fake)
    run("--endpoint", fake.url, "--expect", expect, "--timeout", "1")
    sent = {f"{method} {target}" for method, target, _ in fake.seen}
    assert sent & {"POST /documents", "GET /"} == asked


def test_services_that_are_not_there_cannot_be_expected(fake: FakeGoogle) -> None:
    with pytest.raises(OperatorError, match="--expect names 'extrakt', which stack 'local' does not have"):
        run("--endpoint", fake.url, "--expect", "gateway,extrakt")


def test_each_public_service_is_asked_and_its_checks_bear_its_name(fake: FakeGoogle) -> None:
    """A second one, here archive, answers GET / by itself."""
    found = deployment(stack="local")
    two = {**found.services, "archive": replace(found.services["archive"], public=True)}
    deployed(fake, replace(found, services=two))
    names = [check["name"] for check in json.loads(run("--endpoint", fake.url, "--json")[1])["checks"]]
    assert {"entry span (gateway)", "entry span (archive)", "alert policies"} <= set(names)


def test_a_real_stack_ends_with_the_consoles_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """One page for the trace, one for its logs."""
    monkeypatch.setattr(ops.verify.probe, "kept_trace_id", lambda ratio: TRACE_ID)
    world: Any = World(locations={"documents": SPAIN})
    with fake_google() as fake:
        fake.on("POST /documents", (400, {"trace_id": TRACE_ID}))
        found = deployment()
        gateway = replace(found.services["gateway"], url=fake.url)
        told = verification(
            world, replace(found, services={**found.services, "gateway": gateway}), Wish(timeout=1)
        )
    assert told.checks[0].remedy.startswith(
        f"see why: `.venv/bin/blueprint explain {TRACE_ID} --project {PROJECT}`"
    )
    pages = dict(told.pages)
    assert (
        pages["trace"]
        == f"https://console.cloud.google.com/traces/explorer;traceId={TRACE_ID}?project={PROJECT}"
    )
    assert pages["logs"].startswith("https://console.cloud.google.com/logs/query;query=trace%3D")


# ---- a stack on Google ---------------------------------------------------------------------------------------------


def pulumi(directory: Path, script: str) -> None:
    """A CLI, and a stack file beside it."""
    cli = directory / ".tools" / "bin" / "pulumi"
    cli.parent.mkdir(parents=True)
    cli.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    cli.chmod(0o755)
    (directory / "stacks").mkdir()
    (directory / "stacks" / "Pulumi.dev.yaml").write_text(json.dumps({"config": CONFIG}), encoding="utf-8")


def test_a_stack_is_read_from_pulumis_state_and_its_file(tmp_path: Path) -> None:
    pulumi(tmp_path, f"[ \"$*\" = 'stack output --json --stack dev' ] && echo '{json.dumps(OUTPUTS)}'")
    assert of_stack(tmp_path, "dev") == Deployment.of("dev", CONFIG, OUTPUTS)


def test_a_stack_that_pulumi_cannot_tell_of_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi(tmp_path, "echo 'error: no stack named dev found' >&2; exit 255")
    with pytest.raises(
        OperatorError, match=r"failed \(error: no stack named dev found\): log in to the stack's state"
    ):
        of_stack(tmp_path, "dev")
    (tmp_path / ".tools" / "bin" / "pulumi").unlink()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(OperatorError, match="no Pulumi CLI was found"):
        of_stack(tmp_path, "dev")


@pytest.mark.parametrize(
    ("printed", "says"),
    [
        ("warning: a new version", r"did not print JSON \(warning: a new version\)"),
        ("[1]", "nothing is deployed"),
        ('{"services": {"gateway": {"name": "g", "url": "u"}}}', "has not the outputs of infra/__main__.py"),
        ('{"project": "p", "region": "r", "services": {"gateway": "u"}}', "has not the outputs of infra"),
    ],
)
def test_whatever_pulumi_prints_is_one_sentence(tmp_path: Path, printed: str, says: str) -> None:
    pulumi(tmp_path, f"echo '{printed}'")
    with pytest.raises(OperatorError, match=says):
        of_stack(tmp_path, "dev")


# ---- what stands without a request ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "reason", "ok", "says"),
    [
        (SPAIN, "", True, "documents in europe-southwest1"),
        ("eu", "", True, "documents in eu"),
        (AUSTRALIA, "", False, "is in australia-southeast1, its services are in europe-southwest1"),
        (AUSTRALIA, "the law says so", True, "documents in australia-southeast1 (the law says so)"),
        (None, "", False, "Bucket documents is gone."),
    ],
)
def test_a_bucket_abroad_needs_its_reason(location: str | None, reason: str, ok: bool, says: str) -> None:
    world = World(locations={"documents": location} if location else {})
    of = deployment(buckets={"documents": Bucket("documents", reason)})
    found = bucket_locations(of, locations_of(world, of, timeout=0))
    assert (found.ok, says in found.detail, bool(found.remedy)) == (ok, True, not ok)


def test_policies_that_may_not_be_read_are_a_failure_with_its_remedy() -> None:
    found = alert_policies(World(forbidden=("policies",)), deployment(), timeout=60)
    assert (found.ok, "grant yourself" in found.detail) == (False, True)


def test_a_bucket_that_may_not_be_read_is_not_said_to_be_gone() -> None:
    of, world = deployment(), World(forbidden=("buckets",))
    found = bucket_locations(of, locations_of(world, of, timeout=60))
    assert (found.ok, found.detail) == (
        False,
        "Reading buckets is refused (403): grant yourself a viewer role there.",
    )


def test_reading_again_ends_with_the_time_and_is_ever_rarer() -> None:
    world = World(failing={"policies": 300.0})
    with pytest.raises(Unavailable):
        patiently(world.alert_policies, 60, clock=world.clock, sleep=world.sleep)
    assert (world.now <= 60, len(world.asked)) == (True, 7)
    assert alert_policies(world, deployment(), timeout=0).remedy == "verify again in a minute"
    world = World(failing={"policies": 20.0})
    assert patiently(world.alert_policies, 60, clock=world.clock, sleep=world.sleep) == world.policies


def test_alert_policies_are_read_page_by_page(fake: FakeGoogle) -> None:
    """Monitoring v3: `alertPolicies` and `nextPageToken`."""
    path = f"GET /v3/projects/{PROJECT}/alertPolicies"
    fake.on(
        path,
        (200, {"alertPolicies": [{"name": "a"}], "nextPageToken": "x"}),
        (200, {"alertPolicies": [{"name": "b"}]}),
    )
    assert Google.local(fake.url, PROJECT).alert_policies() == {"a", "b"}
