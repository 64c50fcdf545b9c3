"""What `doctor` says of the machine that deploys: each check passes on a ready one, and each fault fails exactly one of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from doctor_machine import HOST, PROJECT, Machine, one

from ops.checks import Check
from ops.doctor import tools
from ops.doctor.backend import backend_url
from ops.doctor.command import examine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine.ready(tmp_path)


def offline(machine: Machine, env: str = "dev") -> list[Check]:
    return list(examine(machine.workstation, env, offline=True))


def test_a_ready_machine_is_all_green(machine: Machine) -> None:
    """In the order in which they would be mended."""
    found = offline(machine)
    assert [check for check in found if not check.ok] == []
    assert [check.name for check in found] == [
        "python", "packages", "pulumi", "gcloud", "stack file", "region", "docker", "state", "secrets", "login", "registry login",
    ]  # fmt: skip


FAULTS: list[tuple[str, str, str, Callable[[Machine], object]]] = [
    ("pulumi", "not on PATH", "get.pulumi.com", lambda m: m.without("bin/pulumi")),
    ("pulumi", "3.1.0, but 3.2", "--version 3.2", lambda m: m.program("pulumi", "v3.1.0")),
    ("pulumi", "does not tell its version", "get.pulumi.com", lambda m: m.program("pulumi", "v3.300.0", 1)),
    ("pulumi", "pulumi-language-python", "get.pulumi.com", lambda m: m.without("bin/pulumi-language-python")),
    ("gcloud", "not on PATH", "sdk.cloud.google.com", lambda m: m.without("bin/gcloud")),
    ("docker", "docker is not on PATH", "get.docker.com", lambda m: m.without("bin/docker")),
    ("docker", "no Docker daemon answers", "systemctl start docker", lambda m: m.program("docker", "", 1)),
    ("state", "not logged in", f"pulumi login gs://{PROJECT}-pulumi", lambda m: m.without("home/.pulumi/credentials.json")),
    ("state", "no access token", "pulumi login https://api.pulumi.com", lambda m: m.file("home/.pulumi/credentials.json", {"current": "https://api.pulumi.com"})),
    ("secrets", "names no key", "pulumi stack init dev --secrets-provider gcpkms://projects/acme-docs/", lambda m: m.edit("dev", {}, secretsprovider=None)),
    ("secrets", "the environment has none", "PULUMI_CONFIG_PASSPHRASE", lambda m: m.edit("dev", {}, secretsprovider=None, encryptionsalt="v1:x")),
    ("login", "no application default credentials", "gcloud auth application-default login", lambda m: m.without("home/.config/gcloud/application_default_credentials.json")),
    ("login", "no file of Google credentials", "gcloud auth application-default login", lambda m: m.file("home/.config/gcloud/application_default_credentials.json", "{")),
    ("registry login", "no login for", f"gcloud auth configure-docker {HOST}", lambda m: m.file("home/.docker/config.json", {})),
    ("registry login", "no login for", f"gcloud auth configure-docker {HOST}", lambda m: m.without("home/.docker/config.json")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "detail", "remedy", "break_it"), FAULTS)
def test_each_fault_fails_its_check_and_tells_the_command(
    machine: Machine, name: str, detail: str, remedy: str, break_it: Callable[[Machine], object]
) -> None:
    break_it(machine)
    failed = [check for check in offline(machine) if not check.ok]
    assert detail in one(failed, name).detail
    assert remedy in one(failed, name).remedy
    assert len(failed) == 1


def test_an_old_python_and_other_packages_are_told(machine: Machine) -> None:
    """The interpreter of `blueprint` is the one that Pulumi runs the program with."""
    assert not tools.python((3, 10, 4)).ok
    lock = machine.workstation.root / "requirements" / "infra.txt"
    lock.write_text(
        lock.read_text(encoding="utf-8").replace("pulumi-gcp==", "pulumi-gcp==99."), encoding="utf-8"
    )
    failed = one(offline(machine), "packages")
    assert (failed.ok, failed.detail[:10]) == (False, "pulumi-gcp")
    assert "--require-hashes -r requirements/infra.txt" in failed.remedy


def test_the_packages_are_those_that_the_program_names() -> None:
    """`pulumi-gcp` and `pulumi` among them; not what they bring along."""
    locked = tools.locks(Path(__file__).parents[2] / "requirements")
    assert set(locked) == {"pulumi", "pulumi-gcp", "pulumi-docker-build", "pydantic"}


@pytest.mark.parametrize(
    ("environ", "files", "url"),
    [
        ({"PULUMI_BACKEND_URL": "file:///state"}, {}, "file:///state"),
        ({}, {"repository/Pulumi.yaml": "backend: {url: gs://team}"}, "gs://team"),
        ({}, {}, "gs://acme-docs-pulumi"),
        ({"PULUMI_HOME": "/nowhere", "PULUMI_ACCESS_TOKEN": "pul-x"}, {}, "https://api.pulumi.com"),
        ({"PULUMI_HOME": "/nowhere"}, {}, None),
    ],
)
def test_the_backend_is_the_one_that_pulumi_would_take(
    machine: Machine, environ: dict[str, str], files: dict[str, str], url: str | None
) -> None:
    """The environment before Pulumi.yaml before the last login before a bare token."""
    for name, content in files.items():
        machine.file(name, content)
    assert backend_url(machine.set(**environ).workstation) == url


@pytest.mark.parametrize(
    ("environ", "top", "detail"),
    [
        ({}, {}, "gcpkms://key"),
        ({"PULUMI_CONFIG_PASSPHRASE": ""}, {"secretsprovider": None, "encryptionsalt": "v1:x"}, "a passphrase"),
        ({"PULUMI_BACKEND_URL": "https://api.pulumi.com", "PULUMI_ACCESS_TOKEN": "pul-x"}, {"secretsprovider": None}, "Pulumi Cloud's own key"),
    ],
)  # fmt: skip
def test_secrets_have_a_key(
    machine: Machine, environ: dict[str, str], top: dict[str, str | None], detail: str
) -> None:
    """An empty passphrase is one, too, if it is set."""
    machine.edit("dev", {}, **top)
    found = one(offline(machine.set(**environ)), "secrets")
    assert found.ok
    assert detail in found.detail


def test_a_named_credentials_file_that_is_missing_is_told_as_that(machine: Machine) -> None:
    """Google's libraries do not look further if the variable is set."""
    found = one(offline(machine.set(GOOGLE_APPLICATION_CREDENTIALS="/no/key.json")), "login")
    assert (found.ok, "/no/key.json, which does not exist" in found.detail) == (False, True)
    assert found.remedy.startswith("unset GOOGLE_APPLICATION_CREDENTIALS")


def test_a_credentials_file_that_cannot_be_looked_at_is_told(machine: Machine) -> None:
    """A name that no file system takes; so it is with a directory that one may not enter."""
    found = one(offline(machine.set(GOOGLE_APPLICATION_CREDENTIALS="/no/" + "k" * 300)), "login")
    assert (found.ok, "which does not exist, or you may not read it" in found.detail) == (False, True)


ODD_FILES = [
    ("home/.docker/config.json", {"credHelpers": ["gcloud"], "auths": "x"}, "registry login"),
    ("home/.pulumi/credentials.json", {"current": "https://api.pulumi.com", "accessTokens": ["x"]}, "state"),
    ("home/.pulumi/credentials.json", ["gs://x"], "state"),
    ("home/.pulumi/credentials.json", "[" * 100_000, "state"),
]


@pytest.mark.parametrize(("name", "content", "check"), ODD_FILES)
def test_another_program_s_file_in_another_form_is_a_missing_login(
    machine: Machine, name: str, content: object, check: str
) -> None:
    """And not a stack trace: those files are not ours."""
    machine.file(name, content)
    assert not one(offline(machine), check).ok


@pytest.mark.parametrize("content", [b"backend: team\n", b"backend: [x]\n", b"name: caf\xe9\n"])
def test_a_pulumi_yaml_in_another_form_names_no_backend(machine: Machine, content: bytes) -> None:
    (machine.workstation.root / "Pulumi.yaml").write_bytes(content)
    assert backend_url(machine.workstation) == "gs://acme-docs-pulumi"


def test_docker_and_the_registry_are_asked_for_only_by_who_builds(machine: Machine) -> None:
    """A stack that takes digests needs neither."""
    machine.run_digests("dev")
    names = [check.name for check in offline(machine)]
    assert "stack file" in names
    assert {"docker", "registry login"} & set(names) == set()


STACK_FAULTS = [
    ({"gcp:project": "PROJECT_ID"}, 'gcp:project is "PROJECT_ID"', "pulumi config set gcp:project PROJECT --stack dev"),
    ({"gcp:region": "europe-west99"}, 'gcp:region is "europe-west99"', "pulumi config set gcp:region REGION --stack dev"),
    ({"blueprint:bucket": {}}, "blueprint:bucket is", "in stacks/Pulumi.dev.yaml: "),
    ({"blueprint:buckets": {"documents": {"location": "us-east1"}}}, "the stack's region europe-southwest1", "cross_region_reason"),
]  # fmt: skip


@pytest.mark.parametrize(("config", "detail", "remedy"), STACK_FAULTS)
def test_a_mistake_in_the_stack_file_is_the_schemas_sentence(
    machine: Machine, config: dict[str, object], detail: str, remedy: str
) -> None:
    """The same refusal as `pulumi up`'s, with its remedy on a line of its own; what needs a stack is left out."""
    machine.edit("dev", config)
    found = offline(machine)
    failed = one(found, "stack file")
    assert not failed.ok
    assert detail in failed.detail
    assert remedy in failed.remedy
    assert found[-1] is failed


def test_every_mistake_is_told_at_once(machine: Machine) -> None:
    """The shipped stack prod: the project and three images are placeholders, and nobody is on call."""
    found = [check for check in offline(machine, "prod") if check.name == "stack file"]
    assert len(found) >= 1
    assert not any(check.ok for check in found)
    machine.edit("prod", {"gcp:project": PROJECT})
    found = [check for check in offline(machine, "prod") if check.name == "stack file"]
    assert len(found) == 4
    assert all(check.remedy for check in found)


def test_secrets_of_the_stack_file_are_neither_needed_nor_shown(machine: Machine) -> None:
    """Only Pulumi can decrypt them; no mistake beside one shows what is encrypted."""
    notify = {"slack": {"team": {"channel": "#oncall", "auth_token": {"secure": "v1:cipher"}}}}
    machine.edit("dev", {"blueprint:notify": notify})
    assert one(offline(machine), "stack file").ok
    notify["slack"]["team"]["chanel"] = "v1:cipher"
    machine.edit("dev", {"blueprint:notify": notify})
    failed = one(offline(machine), "stack file")
    assert not failed.ok
    assert "cipher" not in failed.detail + failed.remedy


def test_a_bucket_elsewhere_with_a_reason_is_told_and_no_fault(machine: Machine) -> None:
    bucket = {"location": "us-east1", "cross_region_reason": "the law says so"}
    machine.edit("dev", {"blueprint:buckets": {"documents": bucket}})
    found = one(offline(machine), "region")
    assert (found.ok, found.detail) == (True, "europe-southwest1; with a reason documents in us-east1")


def test_stack_local_asks_for_nothing_that_only_google_needs(machine: Machine) -> None:
    """No gcloud, no Docker, no login: they are left out, not green."""
    assert [check.name for check in offline(machine, "local")] == [
        "python",
        "packages",
        "stack file",
        "region",
    ]
