"""What `doctor` says of the project, read from a real local cloud in which one fault at a time is planted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from doctor_machine import Machine, one
from fakegoogle import FakeGoogle, fake_google

from infra.components.apis import names
from infra.deployer import PERMISSIONS
from localcloud.cloud import LocalCloud, Options
from localcloud.host import Host
from ops.checks import Check
from ops.doctor import permissions, reach
from ops.doctor.command import examine
from ops.doctor.reader import Reader, Unread
from tests.infra.stack_options import OPTIONS

LOCAL = "blueprint-local"
TRACE = "cloudtrace.googleapis.com"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    with Host(Options(tmp_path / "cloud", LOCAL, "europe-southwest1")) as host:
        yield host.cloud


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine.ready(tmp_path)


def asked(machine: Machine, cloud: LocalCloud, project: str | None = None) -> list[Check]:
    return list(examine(machine.workstation, "local", project=project, endpoint=cloud.url))


def test_a_project_in_which_nothing_is_missing_is_all_green(machine: Machine, cloud: LocalCloud) -> None:
    """Without credentials: a local cloud asks for none, and what it has no use for is left out."""
    found = asked(machine, cloud)
    assert [check for check in found if not check.ok] == []
    assert [check.name for check in found][4:] == ["project", "billing", "apis", "permissions"]


def _off(*apis: str) -> Callable[[LocalCloud], None]:
    return lambda cloud: [cloud.projects.disable(api) for api in apis] and None


def _take(*names: str) -> Callable[[LocalCloud], None]:
    return lambda cloud: cloud.projects.withhold(*names)


def _set(name: str, value: str) -> Callable[[LocalCloud], None]:
    return lambda cloud: setattr(cloud.projects, name, value)


USAGE, MANAGER, BILLING = (
    f"{each}.googleapis.com" for each in ("serviceusage", "cloudresourcemanager", "cloudbilling")
)
FAULTS: list[tuple[Callable[[LocalCloud], None], str, str, str]] = [
    (_set("state", "DELETE_REQUESTED"), "project", "DELETE_REQUESTED", f"gcloud projects undelete {LOCAL}"),
    (_off(MANAGER), "project", "has not been used in project", f"gcloud services enable {BILLING} {MANAGER} {USAGE} --project {LOCAL}"),
    (_set("billing_account", ""), "billing", "has no billing account", f"gcloud billing projects link {LOCAL} --billing-account"),
    (_off(BILLING), "billing", "cannot be read", f"{MANAGER} {USAGE} --project {LOCAL}"),
    (_off(USAGE), "apis", "cannot be read", f"{MANAGER} {USAGE} --project {LOCAL}"),
    (_take("run.services.create"), "permissions", f"missing in {LOCAL}: run.services.create", "--role roles/run.admin"),
    (_take("iam.serviceAccounts.actAs"), "permissions", "iam.serviceAccounts.actAs", "--role roles/iam.serviceAccountUser"),
    (_take("resourcemanager.projects.setIamPolicy", "storage.buckets.create"), "permissions", "storage.buckets.create",
     "for role in roles/resourcemanager.projectIamAdmin roles/storage.admin; do gcloud projects add-iam-policy-binding"),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "name", "detail", "remedy"), FAULTS)
def test_each_fault_fails_its_check_and_tells_the_command(
    machine: Machine,
    cloud: LocalCloud,
    plant: Callable[[LocalCloud], None],
    name: str,
    detail: str,
    remedy: str,
) -> None:
    """And no other check: what would fail with it is left out."""
    plant(cloud)
    failed = [check for check in asked(machine, cloud) if not check.ok]
    assert detail in one(failed, name).detail
    assert remedy in one(failed, name).remedy
    assert len(failed) == 1


def test_a_deployed_stack_has_turned_its_apis_on(machine: Machine, tmp_path: Path) -> None:
    """What is declared is on, also after a restart; what is not is off, and no fault, since nothing needs it."""
    options = Options(tmp_path / "cloud", LOCAL, "europe-southwest1")
    wanted = names(machine.stack("local"))
    with Host(options) as host:
        for name in wanted:
            api = {"service": f"{name}.googleapis.com"}
            host.call(host.cloud.resources.apply("gcp:projects/service:Service", name, api))
    with Host(options) as host:
        found = asked(machine, host.cloud)
        assert not host.cloud.projects.enabled("sts.googleapis.com")
    assert [check for check in found if not check.ok] == []
    assert one(found, "apis").detail == f"{len(wanted)} are on"


def test_a_project_that_is_not_there_is_one_failure(machine: Machine, cloud: LocalCloud) -> None:
    """Nothing else is asked about it."""
    found = asked(machine, cloud, project="another-project")
    assert found[-1].name == "project"
    assert "another-project" in found[-1].detail
    assert found[-1].remedy.startswith("gcloud projects list")
    assert [check.ok for check in found].count(False) == 1


def test_a_local_cloud_that_does_not_run_is_one_failure(machine: Machine) -> None:
    """Told with the command that starts one; no stack trace, no waiting."""
    for endpoint in ("", "http://127.0.0.1:9"):
        found = list(examine(machine.workstation, "local", endpoint=endpoint))
        assert (found[-1].ok, found[-1].remedy) == (False, "make local")


@pytest.mark.parametrize(
    ("withheld", "ok", "remedy"),
    [
        ((), True, ""),
        (("serviceusage.services.enable",), False, f"gcloud services enable {TRACE} --project {LOCAL}"),
    ],
)
def test_an_api_that_is_off_is_a_fault_only_for_who_may_not_enable_it(
    machine: Machine, cloud: LocalCloud, withheld: tuple[str, ...], ok: bool, remedy: str
) -> None:
    """The deployment enables it; that one which ran before does not again is told with the command."""
    cloud.projects.disable(TRACE)
    cloud.projects.withhold(*withheld)
    found = one(asked(machine, cloud), "apis")
    assert (found.ok, "cloudtrace" in found.detail) == (ok, True)
    assert remedy in found.remedy
    assert f"gcloud services enable {TRACE}" in found.detail + found.remedy


def test_an_api_that_nobody_enabled_yet_is_no_fault(machine: Machine, cloud: LocalCloud) -> None:
    """A fresh project: one API is on, and the deployment turns on all others."""
    cloud.projects.enable("run.googleapis.com")
    found = one(asked(machine, cloud), "apis")
    assert found.ok
    assert all(
        name in found.detail
        for name in names(machine.stack("local"))
        if name not in ("run", "cloudresourcemanager")
    )


@pytest.mark.parametrize(
    ("option", "added"),
    [
        (None, {"iam.serviceAccounts.actAs", "artifactregistry.repositories.uploadArtifacts"}),
        ("ci", {"iam.roles.create", "iam.workloadIdentityPools.create"}),
        ("secrets", {"secretmanager.secrets.setIamPolicy"}),
    ],
)
def test_the_permissions_are_those_of_the_stacks_resources(
    machine: Machine, option: str | None, added: set[str]
) -> None:
    """All that the deployer's roles hold for them, and what a first `up` needs beyond."""
    if option == "secrets":
        stack = machine.stack()
        service = stack.services["archive"].model_copy(
            update={"secrets": OPTIONS[option]["services.archive.secrets"]}
        )
        stack = stack.model_copy(update={"services": {**stack.services, "archive": service}})
    else:
        for path, value in OPTIONS.get(option or "", {}).items():
            machine.edit("dev", {f"blueprint:{path}": value})
        stack = machine.stack()
    found = {*permissions.deploying(stack), *permissions.owning(stack)}
    assert added <= found
    assert set(PERMISSIONS["gcp:cloudrunv2/service:Service"]) <= found
    assert any(each.startswith("secretmanager.") for each in found) == (option == "secrets")


def test_the_pipelines_deployer_need_not_be_an_owner(machine: Machine) -> None:
    """With `blueprint:ci` its account has `actAs` on single accounts only, which the project does not tell."""
    for path, value in OPTIONS["ci"].items():
        machine.edit("dev", {f"blueprint:{path}": value})
    stack = machine.stack()
    reader = Reader(stack.project, requests.Session())
    found = permissions.permissions(reader, stack, set(permissions.deploying(stack)), set())
    assert (found.ok, "not for a first `up`" in found.detail) == (True, True)
    assert not permissions.permissions(reader, stack, set(permissions.owning(stack)), set()).ok


def test_every_permission_has_a_role_that_is_not_owner() -> None:
    """Else the remedy would hand out the whole project."""
    asked = {each for entry in PERMISSIONS.values() for each in entry} | {
        "iam.roles.create",
        "iam.workloadIdentityPools.create",
    }
    assert "roles/owner" not in permissions.roles(asked)
    assert permissions.roles(["new.things.create"]) == ["roles/owner"]


@pytest.fixture
def fake() -> Iterator[FakeGoogle]:
    with fake_google() as running:
        yield running


def reader(fake: FakeGoogle) -> Reader:
    session = requests.Session()
    session.trust_env = False
    return Reader(LOCAL, session, fake.url)


def test_a_permission_that_a_project_does_not_know_does_not_spoil_the_others(
    fake: FakeGoogle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API refuses the whole request for one; it is found, left out, and no fault of the caller's."""

    def answer(method: str, target: str, body: bytes) -> tuple[int, Any]:
        wanted = json.loads(body)["permissions"]
        strange = "odd.things.get" in wanted
        return (400, {"error": {"message": "not valid"}}) if strange else (200, {"permissions": wanted})

    monkeypatch.setattr(fake, "answer", answer)
    held, unasked = permissions.held(reader(fake), {"odd.things.get", *(f"a{n}.get" for n in range(150))})
    assert (len(held), unasked) == (150, {"odd.things.get"})


DISABLED = {"reason": "SERVICE_DISABLED", "metadata": {"consumer": "projects/764086051850"}}


@pytest.mark.parametrize(
    ("status", "body", "message", "remedy"),
    [
        (403, {"error": {"message": "off", "details": [DISABLED]}}, "off", f"gcloud auth application-default set-quota-project {LOCAL}"),
        (401, {"error": {"message": "expired"}}, "expired", "gcloud auth application-default login"),
        (403, {"error": {"message": "no"}}, "no", "otherwise"),
        (502, "<html>", "status 502, and no JSON", "otherwise"),
        (200, [1], "status 200, and no JSON object", "otherwise"),
        (500, {"error": "odd", "details": "odd"}, "status 500", "otherwise"),
        (403, {"error": {"message": "a\\u001b[31m\\nb" , "details": [7, {}]}}, "a", "otherwise"),
    ],
)  # fmt: skip
def test_whatever_comes_instead_of_an_answer_has_a_remedy(
    fake: FakeGoogle, status: int, body: Any, message: str, remedy: str
) -> None:
    """A person's requests without a quota project are charged to gcloud's own, where nothing is on."""
    fake.on("GET /v1/x", (status, body))
    with pytest.raises(Unread) as caught:
        reader(fake).get("run", "v1/x")
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.remedy(LOCAL, "otherwise") == remedy


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (200, ""),
        (
            404,
            "gcloud storage buckets create gs://acme-state --project acme-docs --location europe-southwest1",
        ),
        (
            403,
            'gcloud storage buckets add-iam-policy-binding gs://acme-state --member "user:$(gcloud config get account)"',
        ),
    ],
)
def test_the_bucket_of_the_state(machine: Machine, fake: FakeGoogle, status: int, remedy: str) -> None:
    """Its name is all of a backend's address that counts: a folder and options may follow."""
    fake.on("GET /storage/v1/b/acme-state/o", (status, {"error": {"message": "no"}} if status > 200 else {}))
    found = reach.state_bucket(reader(fake), machine.stack(), "gs://acme-state/team?region=x")
    assert found.ok == (status == 200)
    assert found.remedy.startswith(remedy)


@pytest.mark.parametrize(("status", "ok"), [(401, True), (200, True), (404, False)])
def test_the_registrys_host(machine: Machine, fake: FakeGoogle, status: int, ok: bool) -> None:
    """A registry that is there tells strangers 401."""
    fake.on("GET /v2/", (status, {}))
    assert reach.registry(machine.stack(), fake.url).ok is ok
    unreachable = reach.registry(machine.stack(), "http://127.0.0.1:9")
    assert (unreachable.ok, unreachable.remedy[:10]) == (False, "curl -sSI ")


@pytest.mark.parametrize(
    ("status", "rules", "ok"),
    [
        (200, [{"allowAll": True}], True),
        (200, [{"values": {"allowedValues": ["C01abc"]}}], False),
        (403, [], None),
    ],
)
def test_an_organisation_that_forbids_strangers(
    machine: Machine, fake: FakeGoogle, status: int, rules: list[Any], ok: bool | None
) -> None:
    """Left out where it cannot be read, and where nothing is public."""
    path = f"/v2/projects/{LOCAL}/policies/iam.allowedPolicyMemberDomains:getEffectivePolicy"
    fake.on(f"GET {path}", (status, {"spec": {"rules": rules}}))
    found = reach.strangers(reader(fake), machine.stack())
    assert (found.ok if found else None) is ok
    if found and not found.ok:
        assert "'blueprint:services.gateway.invoker_iam_disabled=true'" in found.remedy
