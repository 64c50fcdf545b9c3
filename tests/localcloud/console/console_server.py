"""The console over stores that a test fills, without services. Not a test itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from handmade import PROJECT

from localcloud.alerts import AlertPolicies
from localcloud.console import Sources, console_routes
from localcloud.identity import Identity
from localcloud.logs.store import LogStore
from localcloud.resources import Resource
from localcloud.storage.store import ObjectStore
from localcloud.trace.store import TraceStore


class Console:
    """A served console; `spans`, `logs`, `alerts`, `objects`, `identity`, `deployed` and `about` are what it reads."""

    def __init__(self, directory: Path) -> None:
        self.spans, self.logs, self.identity = TraceStore(), LogStore(PROJECT), Identity(PROJECT)
        self.alerts = AlertPolicies(self.logs, PROJECT)
        self.objects = ObjectStore(directory)
        self.deployed: list[Resource] = []
        self.about: dict[str, Any] = {"project": PROJECT, "region": "r", "services": []}
        self.routes = console_routes(
            Sources(
                project=PROJECT,
                about=lambda: self.about,
                spans=self.spans,
                logs=self.logs,
                alerts=self.alerts,
                objects=self.objects,
                identity=self.identity,
                resources=lambda: self.deployed,
            )
        )
        self.client: TestClient[Any, Any]

    async def get(self, path: str, **headers: str) -> ClientResponse:
        """The answer itself; a redirection is not followed."""
        return await self.client.get(path, headers=headers, allow_redirects=False)

    async def json(self, path: str) -> Any:
        """The body of an answer with status 200."""
        response = await self.get(path)
        assert response.status == 200, await response.text()
        return await response.json()

    async def error(self, path: str) -> tuple[int, str]:
        """Status and sentence of a refusal."""
        response = await self.get(path)
        body: Mapping[str, Any] = await response.json()
        return response.status, body["error"]["message"]


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[Console]:
    """The console, served."""
    console = Console(directory)
    app = web.Application()
    app.add_routes(console.routes)
    async with TestClient(TestServer(app)) as client:
        console.client = client
        yield console
    console.objects.close()
