"""A local Cloud Storage on a thread of its own, and the official client in front of it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests
from aiohttp import web
from google.cloud import storage
from google.oauth2.credentials import Credentials

from localcloud.identity import Identity
from localcloud.storage.api import storage_routes
from localcloud.storage.latency import Latency
from localcloud.storage.store import ObjectStore

HOME = "us-central1"
BUCKET = "documents-local"


@dataclass
class Cloud:
    """One running server; `restart` ends it and starts another on the same directory and port."""

    root: Path
    latency: Latency = field(default_factory=lambda: Latency(0))
    identity: Identity = field(default_factory=lambda: Identity("local"))
    port: int = 0
    grants: list[tuple[str, str, str]] = field(default_factory=list)

    def start(self) -> None:
        self.store = ObjectStore(self.root)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self._serve(), self.loop).result()

    async def _serve(self) -> None:
        app = web.Application()
        app.add_routes(storage_routes(self.store, self.identity, self.latency))
        self.runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self.runner.addresses[0][1]

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.store.close()

    async def _end(self) -> None:
        await self.runner.cleanup()
        if handlers := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(handlers, timeout=30)

    def restart(self) -> None:
        self.stop()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def grant(self, role: str, member: str) -> None:
        self.grants.append((f"buckets/{BUCKET}", role, member))
        self.identity.bind(*self.grants[-1])

    def token(self, *roles: str, email: str = "archive@local", region: str = HOME) -> str:
        for role in roles:
            self.grant(role, f"serviceAccount:{email}")
        return self.identity.access_token(email, region)[0]


@pytest.fixture(scope="session")
def identity() -> Identity:
    """One for all tests, because making its key takes long; each test takes its grants back."""
    return Identity("local")


@pytest.fixture
def latency() -> Latency:
    return Latency(0)


@pytest.fixture
def location() -> str:
    return HOME


@pytest.fixture
def cloud(tmp_path: Path, identity: Identity, latency: Latency, location: str) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path / "storage", latency, identity)
    cloud.start()
    cloud.store.create_bucket(BUCKET, location)
    yield cloud
    cloud.stop()
    for grant in cloud.grants:
        identity.unbind(*grant)


@pytest.fixture
def connect(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., storage.Client]]:
    """The client as a service uses it: STORAGE_EMULATOR_HOST and its account's token."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.url)
    # Else the client looks at the bucket from a thread of its own, on a connection of its own.
    monkeypatch.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
    clients = []

    def connect(*roles: str, **caller: str) -> storage.Client:
        clients.append(storage.Client("local", Credentials(cloud.token(*roles, **caller))))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


@pytest.fixture
def bucket(connect: Callable[..., storage.Client]) -> storage.Bucket:
    """The bucket for an account that may do all a service can be allowed to."""
    return connect("roles/storage.objectUser", "roles/storage.legacyBucketReader").bucket(BUCKET)


@pytest.fixture
def http(cloud: Cloud) -> Iterator[requests.Session]:
    """Plain HTTP with a token, for what the client cannot be made to send."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {cloud.token('roles/storage.objectUser')}"
        yield session
