"""The local cloud that runs here: found by the file that it leaves, unless it was killed meanwhile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from doctor_machine import Machine
from fakegoogle import fake_google
from handmade import PROJECT
from typer.testing import CliRunner

from ops.doctor import command
from ops.running import running

NOBODY = "http://127.0.0.1:9"


def test_a_cloud_that_answers_is_found(tmp_path: Path) -> None:
    with fake_google() as fake:
        fake.on("GET /blueprint.json", (200, {"project": PROJECT}))
        (tmp_path / "endpoint").write_text(f"{fake.url}\n", encoding="utf-8")
        found = running(tmp_path / "endpoint")
    assert found is not None
    assert (found.console, found.project) == (fake.url, PROJECT)


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"localhost:9", NOBODY.encode()])
def test_what_leads_nowhere_is_no_cloud(tmp_path: Path, content: bytes | None) -> None:
    """Such as the file of a cloud that was killed."""
    if content is not None:
        (tmp_path / "endpoint").write_bytes(content)
    assert running(tmp_path / "endpoint") is None


@pytest.mark.parametrize("answer", [(200, {"project": ""}), (200, "<html>"), (404, {})])
def test_another_program_at_that_port_is_no_cloud(tmp_path: Path, answer: tuple[int, object]) -> None:
    """Ports are given to the next one who asks."""
    with fake_google() as fake:
        fake.on("GET /blueprint.json", answer)
        (tmp_path / "endpoint").write_text(fake.url, encoding="utf-8")
        assert running(tmp_path / "endpoint") is None


def test_doctor_looks_at_dev_where_the_local_cloud_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not, without a word, at stack `local`."""
    machine = Machine.ready(tmp_path)
    monkeypatch.setattr(command, "ROOT", machine.workstation.root)
    monkeypatch.setattr(command, "RUNNING", tmp_path / "endpoint")
    monkeypatch.setattr(command.Workstation, "here", classmethod(lambda cls, root: machine.workstation))
    (tmp_path / "endpoint").write_text(NOBODY, encoding="utf-8")
    app = typer.Typer()
    app.command()(command.doctor)
    checks = json.loads(CliRunner().invoke(app, ["--offline", "--json"]).output)["checks"]
    (found,) = [check for check in checks if check["name"] == "stack file"]
    assert found["detail"].startswith("stacks/Pulumi.dev.yaml")
