"""The blueprint's program under Pulumi's own engine, on a cloud that only keeps the books: no service runs, so a step is quick."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation as auto
from pulumi.automation._stack import StackInitMode
from pulumi.automation.events import EngineEvent

from localcloud.embedded import run_file
from localcloud.kinds import UNKNOWN, Home
from localcloud.provider import Provider
from localcloud.resources import Resources
from ops.engines import find_pulumi
from tests.infra.stack_files import changed
from tests.localcloud.recording_cloud import RecordingCloud, loop_in_thread

ROOT = Path(__file__).parents[2]
CLI = find_pulumi(ROOT)
_STEPS = {"create": "create", "update": "update", "delete": "delete", "create-replacement": "replace"}
Steps = dict[str, set[str]]


class _Quick(auto.Stack):
    """Leaves out what follows each command: outputs and history, three processes that nobody here asks for."""

    def outputs(self) -> auto.OutputMap:
        return {}

    def info(self, show_secrets: bool = False) -> Any:
        return object()


class RealEngine:
    """One stack with its state below `directory`; every command answers with the steps that the engine's events tell."""

    def __init__(
        self,
        directory: Path,
        stack: str,
        resources: Resources,
        cloud: RecordingCloud,
        loop: asyncio.AbstractEventLoop,
        port: int,
    ) -> None:
        self.directory, self.stack = directory, stack
        self.resources, self.cloud, self._loop = resources, cloud, loop
        self.unknown: set[str] = set()  # resources whose inputs the last command did not know in full
        (directory / "backend").mkdir(parents=True)
        (directory / "Pulumi.yaml").write_text("name: blueprint\nruntime: python\n", encoding="utf-8")
        self._settings = directory / f"Pulumi.{stack}.yaml"
        self.environment = {
            "PULUMI_BACKEND_URL": (directory / "backend").as_uri(),
            "PULUMI_HOME": str(directory / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
            "PULUMI_DEBUG_PROVIDERS": f"gcp:{port}",
        }  # fmt: skip

    @cached_property
    def handle(self) -> auto.Stack:
        """The stack in Pulumi's own API."""
        assert CLI is not None
        workspace = auto.LocalWorkspace(
            work_dir=str(self.directory),
            program=lambda: run_file(ROOT / "infra" / "__main__.py"),
            env_vars=self.environment,
            pulumi_command=auto.PulumiCommand(root=str(CLI.parents[1]) if CLI.parent.name == "bin" else None),
        )
        return _Quick(self.stack, workspace, StackInitMode.CREATE_OR_SELECT)

    def configure(self, values: Mapping[str, Any]) -> None:
        """Write the stack file, its tokens encrypted; what the engine keeps in it (its salt) stays."""
        plain, tokens = dict(values), tokens_of(values)
        for path in tokens:
            plain = changed(plain, path, ...)
        kept = yaml.safe_load(self._settings.read_text(encoding="utf-8")) if self._settings.exists() else {}
        self._settings.write_text(yaml.safe_dump({**kept, "config": plain}), encoding="utf-8")
        if tokens:
            secrets = (each for path in tokens for each in ("--secret", f"blueprint:{path}={tokens[path]}"))
            self.run("config", "set-all", "--path", *secrets)

    def up(self, values: Mapping[str, Any]) -> Steps:
        """`pulumi up` with this stack file."""
        self.configure(values)
        return self.watched(lambda see: self.handle.up(on_event=see, color="never"))

    def preview(self, values: Mapping[str, Any]) -> Steps:
        """`pulumi preview` with this stack file."""
        self.configure(values)
        return self.watched(lambda see: self.handle.preview(on_event=see, color="never"))

    def destroy(self) -> Steps:
        """`pulumi destroy`."""
        return self.watched(lambda see: self.handle.destroy(on_event=see, color="never"))

    def watched(self, command: Callable[[Callable[[EngineEvent], None]], Any]) -> Steps:
        """Run a command and gather what it does to resources of the cloud: step -> `Kind name`."""
        steps: Steps = {}
        self.unknown = set()

        def see(event: EngineEvent) -> None:
            step = event.resource_pre_event.metadata if event.resource_pre_event else None
            state = step and (step.new or step.old)
            if not step or not state or not state.custom or step.type.startswith("pulumi:"):
                return
            this = f"{step.type.rpartition(':')[2]} {step.urn.split('::', 3)[3]}"
            if step.op in _STEPS:
                steps.setdefault(_STEPS[step.op], set()).add(this)
            if UNKNOWN in json.dumps(state.inputs):
                self.unknown.add(this)

        command(see)
        return steps

    def run(self, *arguments: str) -> str:
        """Any other command of the CLI; returns what it prints."""
        assert CLI is not None
        assert self.handle, "made once, with its stack"
        done = subprocess.run(
            [str(CLI), *arguments, "--stack", self.stack, "--non-interactive", "--color", "never"],
            cwd=self.directory,
            env={**os.environ, **self.environment, "PATH": f"{self._language_host()}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"pulumi {arguments[0]}: {done.stdout}{done.stderr}"
        return done.stdout

    def _language_host(self) -> Path:
        """A directory with `pulumi-language-python` in it."""
        host = self.directory / "bin" / "pulumi-language-python"
        host.parent.mkdir(exist_ok=True)
        program = Path(__file__).with_name("language_host.py")
        host.write_text(f"#!/bin/sh\nexec {sys.executable} {program}\n", encoding="utf-8")
        host.chmod(0o755)
        return host.parent

    def elsewhere(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What somebody else does to the cloud, such as `engine.resources.update(…)`."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def wake(self) -> None:
        """Let go on what `cloud.hold` holds."""
        assert self.cloud.hold is not None
        self._loop.call_soon_threadsafe(self.cloud.hold.set)

    def state(self) -> dict[str, Any]:
        """The stack's latest checkpoint, secrets encrypted."""
        latest: dict[str, Any] = json.loads(self.run("stack", "export"))["deployment"]
        return latest

    def urn(self, kind: str, name: str) -> str:
        """The URN of a resource in the state."""
        return next(
            each["urn"]
            for each in self.state()["resources"]
            if each["urn"].endswith(f":{kind}::{name}") and each["custom"]
        )

    def books(self) -> dict[str, dict[str, Any]]:
        """The inputs of all that exists, by `Kind name`."""
        return {f"{each.type.rpartition(':')[2]} {each.name}": each.inputs for each in self.resources.all()}


def tokens_of(values: Mapping[str, Any]) -> dict[str, str]:
    """What a stack takes as a secret of Pulumi's only, by its path."""
    return {
        f"notify.{kind}.{name}.{field}": each[field]
        for kind, field in (("slack", "auth_token"), ("pagerduty", "service_key"), ("webhooks", "password"))
        for name, each in values.get("blueprint:notify", {}).get(kind, {}).items()
        if field in each
    }


@contextmanager
def real_engine(directory: Path, stack: str, project: str, region: str) -> Iterator[RealEngine]:
    """An engine, attached to an empty cloud."""
    with loop_in_thread() as loop:
        cloud = RecordingCloud()
        resources = Resources(directory / "cloud", cloud, Home(project, "100000000001", region))
        provider = Provider(resources, loop)
        try:
            yield RealEngine(directory / "pulumi", stack, resources, cloud, loop, provider.start())
        finally:
            provider.stop()
