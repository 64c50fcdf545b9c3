"""Pulumi's own engine against a local cloud: a CLI, a file backend, and the cloud's provider attached as `gcp`.

The program runs inline, in this process, so neither Pulumi's Python host nor a plugin is downloaded.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import grpc
import yaml
from pulumi import automation as auto
from pulumi.automation.events import EngineEvent, StepEventMetadata

from localcloud.embedded import Progress, fresh_modules, run_file
from ops.errors import OperatorError
from ops.project import Project, config_texts

# Engine steps -> what they are to the reader; the other halves of a replacement are left out.
_OPERATIONS = {
    "create": "create",
    "update": "update",
    "delete": "delete",
    "create-replacement": "replace",
    "same": "same",
}
# A function that the provider refuses reaches the program as an ordinary exception.
_INVOKE = re.compile(
    r"^python inline source runtime error: invoke of .*?returned an error: (.*?)\nTraceback .*", re.DOTALL
)
# Said beside the error that tells why.
_NOISE = ("update failed", "preview failed", "destroy failed")
_DRESS = re.compile(r"an unhandled error occurred: |<\{%.*?%\}>|\x1b\[[0-9;]*m")


class PulumiEngine:
    """One stack, its state and its settings below `directory`; nothing of the user's own Pulumi is touched."""

    name = "pulumi"

    def __init__(
        self,
        project: Project,
        cli: Path,
        provider_port: int,
        directory: Path,
        *,
        stack: str = "local",
        progress: Progress = lambda operation, type, name: None,
    ) -> None:
        self._project, self._stack, self._progress = project, stack, progress
        self._cli, self._directory = cli, directory.resolve()
        self._environment = {
            "PULUMI_BACKEND_URL": (self._directory / "backend").as_uri(),
            "PULUMI_HOME": str(self._directory / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
            "PULUMI_DEBUG_PROVIDERS": f"gcp:{provider_port}",
        }

    def up(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Deploy and return the exports. Raises OperatorError."""
        events = _Events(self._progress)
        done = self._run(
            config, events, lambda stack: stack.up(refresh=True, on_event=events.see, color="never")
        )
        return {key: output.value for key, output in done.outputs.items()}

    def preview(self, config: Mapping[str, Any]) -> dict[str, int]:
        """What `up` would do: operation -> number of resources. Raises OperatorError."""
        events = _Events(lambda operation, type, name: None)
        self._run(
            config, events, lambda stack: stack.preview(refresh=True, on_event=events.see, color="never")
        )
        return dict(events.operations)

    def destroy(self, config: Mapping[str, Any]) -> None:
        """Delete every resource. Raises OperatorError."""
        events = _Events(self._progress)
        self._run(
            config, events, lambda stack: stack.destroy(refresh=True, on_event=events.see, color="never")
        )

    def _run(self, config: Mapping[str, Any], events: _Events, command: Callable[[auto.Stack], Any]) -> Any:
        # Each command first compares the state with the cloud (refresh): the other engine, or an interrupted
        # run, may have changed what this one remembers.
        try:
            self._write_settings(config)
            self._mend(self._handle)
            with fresh_modules(self._project.program.parent), _loggers_kept():
                return command(self._handle)
        except auto.CommandError as error:
            raise OperatorError(events.explain(str(error))) from error

    @cached_property
    def _handle(self) -> auto.Stack:
        # The API takes a directory with bin/pulumi in it, or what is on PATH.
        root = str(self._cli.parents[1]) if self._cli.parent.name == "bin" else None
        workspace = auto.LocalWorkspace(
            work_dir=str(self._directory),
            program=lambda: run_file(self._project.program),
            env_vars=self._environment,
            pulumi_command=auto.PulumiCommand(root=root),
        )
        return auto.Stack.create_or_select(self._stack, workspace)

    def _write_settings(self, config: Mapping[str, Any]) -> None:
        """The project and stack files of the workspace; what the engine keeps in them (its salt) stays."""
        (self._directory / "backend").mkdir(parents=True, exist_ok=True)
        project, stack = self._directory / "Pulumi.yaml", self._directory / f"Pulumi.{self._stack}.yaml"
        project.write_text(
            yaml.safe_dump({"name": self._project.name, "runtime": "python"}), encoding="utf-8"
        )
        kept = yaml.safe_load(stack.read_text(encoding="utf-8")) if stack.exists() else {}
        stack.write_text(yaml.safe_dump({**kept, "config": config_texts(config)}), encoding="utf-8")

    def _mend(self, stack: auto.Stack) -> None:
        """Clear away what an interrupted run left: its lock, and operations whose end it never saw.

        The latter need no inquiry: the refresh finds what exists, and a create adopts what it meets under its name.
        """
        state = self._directory / "backend" / ".pulumi"
        for lock in (state / "locks" / "organization" / self._project.name / self._stack).glob("*.json"):
            pid = json.loads(lock.read_text(encoding="utf-8"))["pid"]
            if _alive(pid):
                raise OperatorError(
                    f"Process {pid} is deploying this stack; wait for it, or end it (its lock: {lock})."
                )
            stack.cancel()
        checkpoint = state / "stacks" / self._project.name / f"{self._stack}.json"
        if json.loads(checkpoint.read_text(encoding="utf-8"))["checkpoint"]["latest"].get(
            "pending_operations"
        ):
            exported = stack.export_stack()
            mended = {**(exported.deployment or {}), "pending_operations": []}
            stack.import_stack(auto.Deployment(version=exported.version, deployment=mended))


class _Events:
    """What the engine reports while it works."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.operations: Counter[str] = Counter()
        self._errors: list[str] = []

    def see(self, event: EngineEvent) -> None:
        """Count a step of a resource, remember an error."""
        if event.resource_pre_event:
            self._step(event.resource_pre_event.metadata)
        diagnostic = event.diagnostic_event
        if diagnostic and diagnostic.severity == "error":
            self._errors.append(_INVOKE.sub(r"\1", _DRESS.sub("", diagnostic.message)).strip())

    def _step(self, step: StepEventMetadata) -> None:
        operation, state = _OPERATIONS.get(step.op), step.new or step.old
        if operation and state and state.custom and not step.type.startswith("pulumi:"):
            self.operations[operation] += 1
            if operation != "same":
                self._progress(operation, step.type, step.urn.split("::", 3)[3])

    def explain(self, output: str) -> str:
        """The errors' own sentences; without any, the end of the engine's output."""
        told = [error for error in dict.fromkeys(self._errors) if error not in _NOISE]
        return "\n".join(told) or output.strip()[-2000:]


def _engine_is_not_gone(record: logging.LogRecord) -> bool:
    """False for what gRPC logs, with a traceback, when the program of a failed run finds its engine gone.

    That program runs in a server thread which may outlive the command, so the filter stays.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], grpc.RpcError))


@contextmanager
def _loggers_kept() -> Iterator[None]:
    """The API turns asyncio's logger off, for good: the cloud that runs in this process needs it."""
    logging.getLogger("grpc._server").addFilter(_engine_is_not_gone)
    logger = logging.getLogger("asyncio")
    level = logger.level
    try:
        yield
    finally:
        logger.setLevel(level)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
