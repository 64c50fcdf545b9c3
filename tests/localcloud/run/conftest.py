"""A local Cloud Run whose container is box.py, with short times, and the handles that the tests need on it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from localcloud.identity import Identity
from localcloud.logs.store import LogEntry, LogStore
from localcloud.metadata import metadata_app
from localcloud.run.cloud_run import CloudRun
from localcloud.run.container import Image
from localcloud.run.options import RunOptions
from localcloud.run.ports import PortBook
from localcloud.trace.store import TraceStore

BOX = Path(__file__).with_name("box.py")
# Seconds until something that happens is given up: only a failure takes so long.
LONG = 30.0
FAST = RunOptions(probe_poll=0.02, grace=10.0, startup_cap=LONG, memory_poll=0.05)


class Gate:
    """Requests to /hold report here and stay until `open`."""

    def __init__(self) -> None:
        self.arrivals: asyncio.Queue[str] = asyncio.Queue()
        self._open = asyncio.Event()
        self.port = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.arrivals.put_nowait((await reader.readline()).decode().strip())
        await self._open.wait()
        writer.close()

    async def arrived(self) -> str:
        """The revision in which a held request has arrived."""
        return await asyncio.wait_for(self.arrivals.get(), LONG)

    def open(self) -> None:
        self._open.set()


@dataclass
class Lab:
    """One CloudRun and what it writes to."""

    directory: Path
    options: RunOptions = FAST
    identity: Identity = field(default_factory=lambda: Identity("p"))
    logs: LogStore = field(default_factory=lambda: LogStore("p"))
    spans: TraceStore = field(default_factory=TraceStore)

    def __post_init__(self) -> None:
        self.gate = Gate()
        self.images = {"box": Image((sys.executable, "-S", "-I", str(BOX)), self.directory)}
        self.run: CloudRun | None = None
        self.client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2 * LONG))

    def start(self, **options: Any) -> CloudRun:
        """The CloudRun, with some of the short times changed."""
        self.run = CloudRun(
            project="p",
            region="europe-west1",
            identity=self.identity,
            logs=self.logs,
            spans=self.spans,
            images=self.images,
            platform_env={"STORAGE_EMULATOR_HOST": "http://127.0.0.1:1"},
            ports=PortBook(self.directory / "ports.json"),
            metadata=partial(
                metadata_app, self.identity, project="p", project_number="1", region="europe-west1"
            ),
            options=replace(self.options, scratch=self.directory, **options),
        )
        return self.run

    @staticmethod
    def spec(env: dict[str, str] | None = None, **template: Any) -> dict[str, Any]:
        """Inputs of a cloudrunv2.Service; `container` goes into its container, the rest into the template."""
        container = {"image": "box", "envs": [{"name": k, "value": v} for k, v in (env or {}).items()]}
        return {"template": {"containers": [container | template.pop("container", {})]} | template}

    async def public(self, name: str = "gateway", env: dict[str, str] | None = None, **template: Any) -> str:
        """The URI of a service that everybody may call."""
        if self.run is None:
            self.start()
        assert self.run
        self.identity.bind(f"services/{name}", "roles/run.invoker", "allUsers")
        await self.run.deploy(name, self.spec(env, **template))
        return await self.run.reserve(name)

    def hold(self, uri: str, action: str = "hold") -> asyncio.Task[tuple[int, bytes]]:
        """A request that stays in its container until the gate opens."""

        async def held() -> tuple[int, bytes]:
            async with self.client.get(f"{uri}/{action}?gate={self.gate.port}") as response:
                return response.status, await response.read()

        return asyncio.create_task(held())

    async def get(self, url: str, **headers: str) -> tuple[int, str]:
        async with self.client.get(url, headers=headers) as response:
            return response.status, await response.text()

    async def echo(self, url: str, **options: Any) -> dict[str, Any]:
        """What the container saw, its headers by lower-case name."""
        async with self.client.request(options.pop("method", "GET"), url, **options) as response:
            seen: dict[str, Any] = json.loads(await response.read())
        seen["headers"] = {name.lower(): value for name, value in seen["headers"]}
        return seen

    def log(self, name: str) -> list[LogEntry]:
        """The entries of one log: requests, stdout, stderr, varlog/system."""
        wanted = f"projects/p/logs/run.googleapis.com%2F{name.replace('/', '%2F')}"
        return [entry for entry in self.logs.entries() if entry["logName"] == wanted]

    async def requests(self, count: int = 1) -> list[LogEntry]:
        """The request log once it has `count` entries: a client has its last byte a moment before."""
        async with asyncio.timeout(LONG):
            while True:
                if len(entries := self.log("requests")) >= count:
                    return entries
                await asyncio.sleep(0.01)

    def processes(self) -> list[int]:
        """The process ids of the containers that run now."""
        return sorted(self.run._region.reaper.watched) if self.run else []

    def starts(self) -> list[str]:
        """The reasons of the instances started so far."""
        prefix = "Starting new instance. Reason: "
        return [line.removeprefix(prefix) for line in self.system() if line.startswith(prefix)]

    def break_image(self) -> None:
        """From now on the image cannot be started."""
        self.images["box"] = Image(("false",), self.directory)

    def system(self) -> list[str]:
        return [entry["textPayload"] for entry in self.log("varlog/system")]


Until = Callable[[Callable[[], Any]], Awaitable[None]]


@pytest.fixture
def until() -> Until:
    """Waits for something that no event announces to us, a process's state for one."""

    async def wait(condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(LONG):
            while True:
                if condition():
                    return
                await asyncio.sleep(0.01)

    return wait


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    lab = Lab(tmp_path)
    async with await asyncio.start_server(lab.gate, "127.0.0.1", 0) as server:
        lab.gate.port = server.sockets[0].getsockname()[1]
        yield lab
        lab.gate.open()
        await lab.client.close()
        if lab.run:
            await lab.run.close()
