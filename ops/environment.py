"""The stack `local` on a local cloud: what `demo` and `local` share. Deploys nothing to Google."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from localcloud.cloud import Options
from localcloud.embedded import Progress
from localcloud.host import Host
from localcloud.identity import Identity
from localcloud.projects import Projects
from localcloud.provider import Provider
from localcloud.resources import Refused, Resources
from localcloud.run.container import Image
from localcloud.run.options import RunOptions
from ops.deployment import LOCAL, Deployment
from ops.engines import EmbeddedEngine, Engine, PulumiEngine, find_pulumi, quiet
from ops.errors import OperatorError
from ops.google import Google
from ops.image import working_trees
from ops.options import EngineChoice
from ops.project import Project
from ops.stackfile import Config

STACK = LOCAL


@dataclass(frozen=True)
class Deployed:
    """The services of one deployment: logical name -> URL, and the stack's exports."""

    urls: Mapping[str, str]
    outputs: Mapping[str, Any]


class Environment:
    """`with Environment(...) as environment:` runs the cloud; leaving the block ends every process of it.

    `images` come on top of those that are the working tree (ops/image.py).
    """

    def __init__(
        self,
        root: Path,
        directory: Path,
        config: Config,
        *,
        engine: EngineChoice = EngineChoice.auto,
        port: int = 0,
        progress: Progress = quiet,
        images: Mapping[str, Image] | None = None,
        run: RunOptions | None = None,
    ) -> None:
        self.directory = directory
        self._project = Project.read(root)
        found = find_pulumi(root)
        self._cli = None if engine is EngineChoice.embedded else found
        self._why_embedded = "as asked" if found else "no Pulumi CLI; `make engine` builds one"
        if engine is EngineChoice.pulumi and self._cli is None:
            raise OperatorError(
                "--engine pulumi: no Pulumi CLI was found; run `make engine`, put `pulumi` on PATH, or use --engine embedded."
            )
        self._progress = progress
        self._port = port
        self._host = Host(
            Options(
                directory=directory,
                project=str(config["gcp:project"]),
                region=str(config["gcp:region"]),
                images={**working_trees(root), **(images or {})},
                port=port,
                run=run or RunOptions(),
            )
        )

    def __enter__(self) -> Environment:
        try:
            self._host.__enter__()
        except OSError as error:
            raise OperatorError(
                f"--port {self._port}: {(error.strerror or str(error)).lower()}; choose another, or leave it out for a free one."
            ) from error
        except (RuntimeError, Refused) as error:
            raise OperatorError(str(error)) from error
        cloud = self._host.cloud
        self._provider = Provider(cloud.resources, self._host.loop)
        self.provider_port = self._provider.start()
        self.engine = self._make_engine()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._provider.stop()
        self._host.__exit__(kind, error, trace)

    @property
    def url(self) -> str:
        """Where the console and the read APIs are."""
        return self._host.cloud.url

    @property
    def resources(self) -> Resources:
        """What is deployed, as the seam keeps it."""
        return self._host.cloud.resources

    @property
    def identity(self) -> Identity:
        """Who may do what."""
        return self._host.cloud.identity

    @property
    def projects(self) -> Projects:
        """The project itself: which APIs are on."""
        return self._host.cloud.projects

    @property
    def google(self) -> Google:
        """The read APIs of this cloud."""
        return Google.local(self.url, self._host.cloud.options.project)

    @property
    def refusals(self) -> list[str]:
        """What of the last run could not be brought back."""
        return self._host.cloud.refusals

    @property
    def engine_text(self) -> str:
        """Which engine works, for people."""
        if self._cli is None:
            return f"embedded ({self._why_embedded})"
        shown = os.path.relpath(self._cli) if self._cli.is_relative_to(Path.cwd()) else self._cli
        return f"pulumi ({shown})"

    def up(self, config: Config) -> Deployed:
        """Deploy the program with this config; raises `OperatorError`."""
        outputs = self.engine.up(config)
        services = outputs.get("services", {})
        urls = {name: service["url"] for name, service in services.items()}
        self._host.cloud.about |= {
            "stack": STACK,
            "engine": self.engine.name,
            "deployment": Deployment.of(STACK, config, outputs).record(),
            "services": [
                {"name": name, "resource": each["name"], "url": each["url"]}
                for name, each in services.items()
            ],
        }
        return Deployed(urls, outputs)

    def _make_engine(self) -> Engine:
        if self._cli is None:
            return EmbeddedEngine(
                self._project,
                self._host.cloud.resources,
                self._host.loop,
                stack=STACK,
                progress=self._progress,
            )
        return PulumiEngine(
            self._project,
            self._cli,
            self.provider_port,
            self.directory / "pulumi",
            stack=STACK,
            progress=self._progress,
        )
