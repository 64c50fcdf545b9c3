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


def test_broken_yaml_is_told_with_its_place(machine: Machine) -> None:
    (machine.workstation.root / "stacks" / "Pulumi.dev.yaml").write_text(
        "config:\n  a: [\n", encoding="utf-8"
    )
    status, found = as_json("--stack", "dev")
    last = found["checks"][-1]
    assert (status, last["name"], "line 3" in last["detail"]) == (1, "stack file", True)
    assert last["remedy"] == "mend the file: stacks/Pulumi.dev.yaml"


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
            raise RefreshError("invalid_grant: Token has been expired or revoked.")  # type: ignore[no-untyped-call]

    monkeypatch.setattr(google.auth, "default", lambda scopes: (Expired(), None))  # type: ignore[no-untyped-call]
    status, found = as_json("--stack", "dev")
    assert (status, found["checks"][-1]["name"]) == (1, "credentials")
    assert "invalid_grant" in found["checks"][-1]["detail"]


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
