"""The engines that deploy the Pulumi program on a local cloud: Pulumi's own where a CLI is found, else the embedded one.

Both block: call them from any thread but that of the cloud's event loop. Neither deploys to Google.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pulumi

from localcloud.embedded import Embedded, Progress
from localcloud.resources import Refused, Resources
from ops.errors import OperatorError
from ops.project import Project, config_texts
from ops.pulumi_engine import PulumiEngine

__all__ = ["EmbeddedEngine", "Engine", "PulumiEngine", "find_pulumi", "quiet"]


class Engine(Protocol):
    """Config has full keys (`gcp:project`, `blueprint:services`); what an operator can mend raises OperatorError."""

    name: str

    def up(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Deploy, and return the program's exports."""
        ...

    def preview(self, config: Mapping[str, Any]) -> dict[str, int]:
        """What `up` would do: create, update, replace, delete, same -> number of resources."""
        ...

    def destroy(self, config: Mapping[str, Any]) -> None:
        """Delete every resource."""
        ...


def quiet(operation: str, type: str, name: str) -> None:
    """Progress that nobody sees."""


def find_pulumi(root: Path) -> Path | None:
    """The Pulumi CLI to use: the one `make engine` built, else the one on PATH."""
    built = root.resolve() / ".tools" / "bin" / "pulumi"
    if built.is_file() and os.access(built, os.X_OK):
        return built
    found = shutil.which("pulumi")
    return Path(found).absolute() if found else None


class EmbeddedEngine:
    """Runs the program in this process, with no CLI."""

    name = "embedded"

    def __init__(
        self,
        project: Project,
        resources: Resources,
        loop: asyncio.AbstractEventLoop,
        *,
        stack: str = "local",
        progress: Progress = quiet,
    ) -> None:
        self._embedded = Embedded(
            resources, loop, project.program, project=project.name, stack=stack, progress=progress
        )

    def up(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """See `Engine`."""
        with _explained():
            return self._embedded.up(config_texts(config))

    def preview(self, config: Mapping[str, Any]) -> dict[str, int]:
        """See `Engine`."""
        with _explained():
            return self._embedded.preview(config_texts(config))

    def destroy(self, config: Mapping[str, Any]) -> None:
        """See `Engine`."""
        with _explained():
            self._embedded.destroy()


class _explained:
    """Turns what an operator can mend into an OperatorError; a bug keeps its traceback."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Refused | pulumi.RunError):
            raise OperatorError(str(error)) from error
