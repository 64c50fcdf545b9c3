"""A service made by `new-service`, from its first test to a trace that spans its caller and it; and its first upgrade."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from chain import ROOT, Running, orphans, servers
from typer.testing import CliRunner

from ops import stackfile
from ops.environment import Environment
from ops.newservice import commands
from ops.options import EngineChoice
from ops.stackfile import Config
from tests.ops.newservice_repository import COMMANDS, commit, git

pytestmark = pytest.mark.xdist_group("cloud")

FORK = "services/thumbs"
TEMPLATE_LINE = "        answer = await own.run(self._store, document, own)\n"
OWN_LINE = '        answer["made_by"] = "thumbs"\n'


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(COMMANDS, list(arguments), catch_exceptions=False)
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """This repository as it is, committed, in another place, with one service more."""
    clone = tmp_path_factory.mktemp("clone") / "repository"
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for path in filter(None, listed.split("\0")):
        if (ROOT / path).is_file():  # not one that is deleted and not committed
            (clone / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, clone / path)
    git(clone, "init", "--quiet")
    commit(clone)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "ROOT", clone)
        status, said = run("new-service", "thumbs", "--called-by", "gateway")
        assert status == 0, said
        commit(clone)
        yield clone


def config(clone: Path) -> Config:
    """Stack `local` with the new service in the place of the rest of the pipeline."""
    config = stackfile.load(clone, "local")
    services = config["blueprint:services"]
    assert services["gateway"]["calls"] == ["extract", "thumbs"]
    fast = {"OTEL_BSP_SCHEDULE_DELAY": "50"}
    gateway = {**services["gateway"], "calls": ["thumbs"], "env": {"PIPELINE_STEP": "receive", **fast}}
    thumbs = {**services["thumbs"], "buckets": ["documents"], "env": {"PIPELINE_STEP": "store", **fast}}
    return stackfile.changed(config, "services", value={"gateway": gateway, "thumbs": thumbs})


def test_its_own_tests_pass_at_once(clone: Path) -> None:
    """Of its own `app`, wherever pytest is started."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", FORK], cwd=clone, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_its_own_tests_are_of_its_own_code(clone: Path) -> None:
    """Not of the template's, which is a package of the same name."""
    health = clone / FORK / "app/health.py"
    before = health.read_text(encoding="utf-8")
    health.write_text(before.replace("/healthz", "/elsewhere"), encoding="utf-8")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", FORK], cwd=clone, capture_output=True, text=True, check=False
        )
    finally:
        health.write_text(before, encoding="utf-8")
    assert done.returncode == 1
    assert "test_the_probe_answers" in done.stdout


def test_a_request_through_its_caller_is_one_trace(clone: Path, tmp_path: Path) -> None:
    """Deployed from its own directory, called with an identity, with its own code, and no span is an orphan."""
    routes = clone / FORK / "app/routes.py"
    text = routes.read_text(encoding="utf-8")
    assert TEMPLATE_LINE in text
    routes.write_text(text.replace(TEMPLATE_LINE, TEMPLATE_LINE + OWN_LINE), encoding="utf-8")
    commit(clone)
    declared = config(clone)
    with Environment(clone, tmp_path / "state", declared, engine=EngineChoice.embedded) as environment:
        chain = Running(environment, declared, "gateway")
        assert requests.get(environment.up(declared).urls["thumbs"], timeout=10).status_code == 403
        answer = chain.send({})
        assert answer.status_code == 201, answer.text
        assert answer.json()["made_by"] == "thumbs"
        trace = chain.arrived(answer.json()["trace_id"], ["gateway", "thumbs"])
    assert orphans(trace) == []
    entry, callee = servers(trace)
    assert (entry.service, callee.service) == ("gateway", "thumbs")
    call = next(span for span in trace.spans if span.span_id == callee.parent_id)
    assert (call.kind, call.service) == ("CLIENT", "gateway")


def test_an_upgrade_brings_the_template_s_change_and_keeps_the_team_s(clone: Path) -> None:
    """In different places of one file both stay; in the same place people are asked."""
    template, fork = (clone / below / "app/settings.py" for below in (".", FORK))
    text = fork.read_text(encoding="utf-8")
    limit, title = "32 * 1024 * 1024", '"""The service\'s environment, typed once and frozen.'
    assert template.read_text(encoding="utf-8") == text
    assert limit in text
    assert title in text
    fork.write_text(text.replace(limit, "16 * 1024 * 1024"), encoding="utf-8")
    template.write_text(text.replace(title, '"""All that a service is told.'), encoding="utf-8")
    commit(clone)
    assert run("upgrade-service", "thumbs", "--check")[0] == 1
    status, said = run("upgrade-service", "thumbs")
    assert (status, "app/settings.py  merged" in said) == (0, True), said
    merged = fork.read_text(encoding="utf-8")
    assert "16 * 1024 * 1024" in merged
    assert merged.startswith('"""All that a service is told.')
    commit(clone)
    template.write_text(text.replace(limit, "64 * 1024 * 1024"), encoding="utf-8")
    commit(clone)
    status, said = run("upgrade-service", "thumbs")
    assert (status, "app/settings.py  CONFLICT" in said) == (1, True), said
    assert "<<<<<<< app/settings.py" in fork.read_text(encoding="utf-8")
