"""One local Google Cloud project: its services, stores, grants and alerts, and the one port that serves its APIs.

A table of contents: each part lives in a file of its own. Everything listens on 127.0.0.1 only.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from localcloud.alerts import AlertPolicies, alert_routes
from localcloud.console import Sources, console_routes
from localcloud.effects import RunningCloud
from localcloud.gemini import gemini_routes
from localcloud.identity import Identity
from localcloud.kinds import Home
from localcloud.logs.reads import log_routes
from localcloud.logs.store import LogStore
from localcloud.loopback import loopback_only
from localcloud.metadata import metadata_app
from localcloud.owner import owner_routes
from localcloud.projects import Projects, guarded, project_routes
from localcloud.resources import Resource, Resources
from localcloud.run.cloud_run import CloudRun
from localcloud.run.container import Image
from localcloud.run.options import RunOptions
from localcloud.run.ports import PortBook
from localcloud.storage.api import storage_routes
from localcloud.storage.latency import Latency
from localcloud.storage.store import ObjectStore
from localcloud.trace.cloudtrace import CloudTraceDoor
from localcloud.trace.otlp import otlp_routes
from localcloud.trace.reads import trace_routes
from localcloud.trace.store import TraceStore

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Options:
    """`directory` holds all that lasts; `port` 0 takes a free one; `latency_scale` multiplies the round trips to buckets."""

    directory: Path
    project: str
    region: str
    images: Mapping[str, Image] = field(default_factory=dict)
    project_number: str = "100000000001"
    port: int = 0
    latency_scale: float = 1.0
    run: RunOptions = field(default_factory=RunOptions)


class LocalCloud:
    """Made anywhere, started, used and closed on one event loop. Raises OSError if `port` is taken."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.home = Home(options.project, options.project_number, options.region)
        self.identity = Identity(options.project)
        self.projects = Projects(options.project, options.project_number, self.identity)
        self.logs = LogStore(options.project)
        self.spans = TraceStore()
        self.alerts = AlertPolicies(self.logs, options.project)
        self.about: dict[str, Any] = {"project": options.project, "region": options.region, "services": []}
        self.url = ""
        self.refusals: list[str] = []  # resources of the last run that could not be put back
        self._closing: list[Any] = []

    async def start(self) -> None:
        """Open the APIs, then put back what the last run left: buckets, grants, alerts, services."""
        directory, project = self.options.directory, self.options.project
        directory.mkdir(parents=True, exist_ok=True)
        objects = ObjectStore(directory / "storage")
        self._closing.append(objects.close)
        door = CloudTraceDoor(self.spans, self.identity, project, directory, self.projects)
        door.start()
        self._closing.append(door.stop)
        await self._serve(
            [
                *console_routes(self._sources(objects)),
                *otlp_routes(self.spans, self.identity, project, self.projects),
                *project_routes(self.projects),
                *owner_routes(self.identity),
                *guarded(self.projects, "cloudtrace.googleapis.com", trace_routes(self.spans, project)),
                *guarded(self.projects, "logging.googleapis.com", log_routes(self.logs, project)),
                *alert_routes(self.alerts, project),
                *storage_routes(objects, self.identity, Latency(self.options.latency_scale)),
                *gemini_routes(self.identity, project),
            ]
        )
        run = self._cloud_run(door)
        self._closing.append(run.close)
        effects = RunningCloud(
            self.home,
            run=run,
            objects=objects,
            identity=self.identity,
            alerts=self.alerts,
            projects=self.projects,
        )
        self.resources = Resources(directory, effects, self.home)
        self.refusals = await self.resources.restore()

    async def close(self) -> None:
        """End every process and every server, the services first, so that their last spans and logs still arrive."""
        while self._closing:
            result = self._closing.pop()()
            if result is not None:
                await result

    def _sources(self, objects: ObjectStore) -> Sources:
        return Sources(
            project=self.options.project,
            about=lambda: self.about,
            spans=self.spans,
            logs=self.logs,
            alerts=self.alerts,
            objects=objects,
            identity=self.identity,
            resources=self._deployed,
        )

    def _deployed(self) -> list[Resource]:
        """Nothing, while those of the last run are not put back yet."""
        return self.resources.all() if hasattr(self, "resources") else []

    async def _serve(self, routes: list[web.RouteDef]) -> None:
        app = web.Application(client_max_size=16 * 1024 * 1024, middlewares=[loopback_only])
        app.add_routes(routes)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, read_bufsize=1 << 20)
        await runner.setup()
        self._closing.append(runner.cleanup)
        await web.TCPSite(runner, HOST, self.options.port).start()
        self.url = f"http://{HOST}:{runner.addresses[0][1]}"

    def _cloud_run(self, door: CloudTraceDoor) -> CloudRun:
        homes = self.options.directory.resolve() / "homes"
        shutil.rmtree(homes, ignore_errors=True)
        homes.mkdir()
        return CloudRun(
            project=self.options.project,
            region=self.options.region,
            identity=self.identity,
            logs=self.logs,
            spans=self.spans,
            images=self.options.images,
            # What DNS and Google's certificates give a container on Google.
            platform_env={
                "STORAGE_EMULATOR_HOST": self.url,
                "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
                # Read by google-genai too, so that a client of a team's own arrives here as well.
                "GOOGLE_VERTEX_BASE_URL": self.url,
                "GOOGLE_GEMINI_BASE_URL": self.url,
                "CLOUD_TRACE_ENDPOINT": door.endpoint,
                "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(door.ca_file.resolve()),
            },
            ports=PortBook(self.options.directory / "ports.json"),
            metadata=functools.partial(
                metadata_app,
                self.identity,
                project=self.options.project,
                project_number=self.options.project_number,
                region=self.options.region,
            ),
            # What a kill leaves of the private home directories is gone at the next start.
            options=replace(self.options.run, scratch=homes),
        )
