"""`blueprint doctor` from the command line: what it prints, its status, and what an operator's mistakes are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import google.auth
import pytest
import typer
from doctor_machine import Machine
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError, RefreshError
from typer.testing import CliRunner

import ops.credentials
from localcloud.cloud import Options
from localcloud.host import Host
from ops.doctor import command
from ops.doctor.command import doctor

APP = typer.Typer()
APP.command()(doctor)


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The machine that the command runs on; no local cloud of a developer's is seen."""
    machine = Machine.ready(tmp_path)
    monkeypatch.setattr(command, "ROOT", machine.workstation.root)
    monkeypatch.setattr(command, "RUNNING", tmp_path / "endpoint")
    monkeypatch.setattr(command.Workstation, "here", classmethod(lambda cls, root: machine.workstation))
    return machine


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(APP, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def as_json(*arguments: str) -> tuple[int, dict[str, Any]]:
    status, output = run(*arguments, "--json")
    return status, json.loads(output)


def test_json_is_all_of_stdout_and_has_the_common_shape() -> None:
    """`{"ok", "checks": [{"name", "ok", "detail", "remedy"}]}`, and status 0 if all is well."""
    status, found = as_json("--offline")
    assert (status, found["ok"], set(found)) == (0, True, {"ok", "checks"})
    assert all(set(check) == {"name", "ok", "detail", "remedy"} for check in found["checks"])
    assert all(bool(check["remedy"]) is not check["ok"] for check in found["checks"])


def test_a_command_is_printed_on_one_line_whatever_the_terminals_width(machine: Machine) -> None:
    """So that it can be copied."""
    machine.edit("dev", {}, secretsprovider=None)
    status, output = run("--offline")
    assert status == 1
    assert any(
        line.strip().startswith("pulumi stack init dev") and line.rstrip().endswith("/cryptoKeys/state")
        for line in output.splitlines()
    )


def test_an_unknown_stack_is_told_which_there_are() -> None:
    status, found = as_json("--stack", "nope")
    assert (status, found["ok"]) == (1, False)
    assert found["checks"][-1]["detail"].endswith("there are: dev, local, prod, staging")
    # `make setup` puts the command there, and not on PATH.
    assert found["checks"][-1]["remedy"].startswith(".venv/bin/blueprint doctor --stack dev")


def test_broken_yaml_is_told_with_its_place(machine: Machine) -> None:
    (machine.workstation.root / "stacks" / "Pulumi.dev.yaml").write_text(
        "config:\n  a: [\n", encoding="utf-8"
    )
    status, found = as_json("--stack", "dev")
    last = found["checks"][-1]
    assert (status, last["name"], "line 3" in last["detail"]) == (1, "stack file", True)
    assert last["remedy"] == "mend the file: stacks/Pulumi.dev.yaml"


UNREADABLE = {
    "key": (b"config:\n  3: 4\n", "has the key 3, which is no text", "write a key as NAMESPACE:KEY, or take it out"),
    "encoding": (b"config:\n  gcp:project: caf\xe9\n", "is not UTF-8 text", "save it as UTF-8"),
    "directory": (None, "cannot be read (Is a directory)", "put a file there that you may read"),
    "date": (b"config:\n  gcp:project: acme-docs\n  gcp:region: europe-west1\n  blueprint:alerts: 2024-01-31\n",
             'blueprint:alerts is "2024-01-31"', "change it in stacks/Pulumi.dev.yaml"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "detail", "remedy"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_stack_file_in_any_state_is_a_failed_check(
    machine: Machine, content: bytes | None, detail: str, remedy: str
) -> None:
    """With its remedy, and no stack trace: it is the file that doctor was asked about."""
    file = machine.workstation.root / "stacks" / "Pulumi.dev.yaml"
    file.unlink()
    file.write_bytes(content) if content is not None else file.mkdir()
    status, found = as_json("--stack", "dev")
    told = [check for check in found["checks"] if check["name"] == "stack file" and detail in check["detail"]]
    assert (status, found["ok"], len(told)) == (1, False, 1), found
    assert remedy in told[0]["remedy"]
    assert run("--stack", "dev")[1].startswith("Stack dev")


def test_a_project_that_is_encrypted_is_not_in_the_first_line(machine: Machine) -> None:
    """Nor is its cipher."""
    machine.edit("dev", {"gcp:project": {"secure": "v1:cipher"}})
    assert run("--stack", "dev", "--offline")[1].splitlines()[0] == "Stack dev, offline"


def test_an_error_that_nobody_expected_leaves_no_half_of_the_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads stdout gets an object or nothing."""

    def unexpected(*arguments: object) -> object:
        raise RuntimeError("a bug")

    monkeypatch.setattr(command.stack, "read", unexpected)
    result = CliRunner().invoke(APP, ["--json"])
    assert (type(result.exception), result.stdout) == (RuntimeError, "")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--stack", "dev", "--offline"), "Stack dev, project acme-docs, offline"),
        (
            ("--stack", "dev", "--offline", "--project", "other-docs"),
            "Stack dev, project other-docs, offline",
        ),
        (("--stack", "nope"), "Stack nope"),
        (
            ("--endpoint", "http://127.0.0.1:9"),
            "Stack local, project blueprint-local, at http://127.0.0.1:9",
        ),
    ],
)
def test_the_first_line_says_what_is_looked_at(arguments: tuple[str, ...], line: str) -> None:
    """As `verify` does: without options the stack was chosen for the operator."""
    assert run(*arguments)[1].splitlines()[0] == line


def test_no_credentials_are_one_failure_with_the_login(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No request is made, nothing that depends on them is told, and there is no stack trace."""

    def none(scopes: object) -> object:
        raise DefaultCredentialsError("nothing here")  # type: ignore[no-untyped-call]

    monkeypatch.setattr(google.auth, "default", none)
    machine.without("home/.config/gcloud/application_default_credentials.json")
    status, found = as_json("--stack", "dev")
    failed = [check for check in found["checks"] if not check["ok"]]
    assert (status, len(failed), found["checks"][-1]) == (1, 1, failed[0])
    assert (failed[0]["name"], failed[0]["remedy"]) == (
        "credentials",
        "gcloud auth application-default login",
    )


def test_credentials_that_google_does_not_take_are_one_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A login that has expired: found before anything is asked."""

    class Expired(AnonymousCredentials):
        def refresh(self, request: object) -> None:
            said = "invalid_grant: Token has been expired or revoked."
            raise RefreshError(said, {"error": "invalid_grant"})  # type: ignore[no-untyped-call]

    monkeypatch.setattr(google.auth, "default", lambda scopes: (Expired(), None))  # type: ignore[no-untyped-call]
    status, found = as_json("--stack", "dev")
    assert (status, found["checks"][-1]["name"]) == (1, "credentials")
    assert "invalid_grant: Token has been expired or revoked." in found["checks"][-1]["detail"]
    assert found["checks"][-1]["remedy"] not in found["checks"][-1]["detail"]


def test_a_plain_session_needs_no_token() -> None:
    """What reads a local cloud has no credentials to refresh."""
    assert ops.credentials.refresh(ops.credentials.session_for(["http://127.0.0.1:1"])) == "none needed"


def test_the_local_cloud_that_runs_here_is_asked(machine: Machine, tmp_path: Path) -> None:
    """Without options, by the file that it leaves; unless another project is asked about."""
    with Host(Options(tmp_path / "cloud", "blueprint-local", "europe-southwest1")) as host:
        (tmp_path / "endpoint").write_text(host.cloud.url, encoding="utf-8")
        status, found = as_json()
        assert (status, found["checks"][-1]["name"]) == (0, "permissions")
        assert any(check["detail"].startswith("blueprint-local") for check in found["checks"])
        assert as_json("--endpoint", host.cloud.url)[0] == 0
        _, found = as_json("--project", "another-project", "--offline")
    assert any(
        check["detail"].startswith("stacks/Pulumi.dev.yaml: project another-project")
        for check in found["checks"]
    )
