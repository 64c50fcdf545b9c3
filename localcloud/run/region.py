"""What all services of one local region share: project, images, stores, options, the client to the containers, the reaper."""

import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from localcloud.identity import Identity
from localcloud.logs.store import LogStore
from localcloud.run.container import Image
from localcloud.run.options import RunOptions
from localcloud.run.reaper import Reaper
from localcloud.trace.store import TraceStore


@dataclass(frozen=True)
class Region:
    """`metadata(email=…, instance_id=…)` makes one instance's metadata server."""

    project: str
    name: str
    identity: Identity
    logs: LogStore
    spans: TraceStore
    images: Mapping[str, Image]
    platform_env: Mapping[str, str]
    metadata: Callable[..., web.Application]
    options: RunOptions
    client: aiohttp.ClientSession
    reaper: Reaper

    def resource(self, service: str, revision: str) -> dict[str, Any]:
        """The monitored resource of everything that a revision logs."""
        labels = {"project_id": self.project, "location": self.name, "service_name": service}
        return {
            "type": "cloud_run_revision",
            "labels": labels | {"revision_name": revision, "configuration_name": service},
        }

    def log_system(
        self, service: str, revision: str, text: str, *, instance: str = "", severity: str = "INFO"
    ) -> None:
        """One of the platform's own lines about a revision."""
        self.logs.write(
            {
                "logName": f"projects/{self.project}/logs/run.googleapis.com%2Fvarlog%2Fsystem",
                "resource": self.resource(service, revision),
                "labels": {"instanceId": instance} if instance else {},
                "severity": severity,
                "textPayload": text,
            }
        )


class _ContainerSocket(socket.socket):
    """A write that fails leaves the connection open for reading: the container may have answered before it hung up, a 413
    to a body that it did not care to read for one. If it has not, the read fails next."""

    def send(self, data: Any, flags: int = 0) -> int:
        try:
            return super().send(data, flags)
        except (BrokenPipeError, ConnectionResetError):
            return len(data)

    def sendmsg(self, buffers: Iterable[Any], *rest: Any) -> int:  # what asyncio uses from Python 3.12
        pieces = list(buffers)
        try:
            return super().sendmsg(pieces, *rest)
        except (BrokenPipeError, ConnectionResetError):
            return sum(len(piece) for piece in pieces)


def container_client() -> aiohttp.ClientSession:
    """A client that passes bytes on as they are.

    One connection per request: a frozen container's kept-alive connections time out the moment it wakes, and a request that
    meets such a connection fails for no reason of its own.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True, socket_factory=_container_socket),
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        read_bufsize=1024 * 1024,
        max_line_size=32 * 1024,
        max_field_size=32 * 1024,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


def _container_socket(address: tuple[Any, ...]) -> socket.socket:
    return _ContainerSocket(*address[:3])
