"""The local Cloud Run: services by name, each with its address, its serving revision, and how a deployment replaces it."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from localcloud.identity import Identity
from localcloud.logs.store import LogStore
from localcloud.resources import Refused
from localcloud.run.container import Image
from localcloud.run.frontend import FrontEnd
from localcloud.run.instance import StartFailed
from localcloud.run.options import RunOptions
from localcloud.run.ports import HOST, PortBook
from localcloud.run.reaper import Reaper
from localcloud.run.region import Region, container_client
from localcloud.run.revision import Revision
from localcloud.run.template import Template, read_template
from localcloud.trace.store import TraceStore


@dataclass
class _Service:
    front: FrontEnd
    revisions: int = 0
    deploying: asyncio.Lock = field(default_factory=asyncio.Lock)


class CloudRun:
    """One project's services in one region. Made and used on one event loop; `close` ends every process."""

    def __init__(
        self,
        *,
        project: str,
        region: str,
        identity: Identity,
        logs: LogStore,
        spans: TraceStore,
        images: Mapping[str, Image],
        platform_env: Mapping[str, str],
        ports: PortBook,
        metadata: Callable[..., web.Application],
        options: RunOptions | None = None,
    ) -> None:
        self._region = Region(
            project=project,
            name=region,
            identity=identity,
            logs=logs,
            spans=spans,
            images=images,
            platform_env=platform_env,
            metadata=metadata,
            options=options or RunOptions(),
            client=container_client(),
            reaper=Reaper(),
        )
        self._ports = ports
        self._services: dict[str, _Service] = {}
        self._retiring: dict[asyncio.Task[None], Revision] = {}

    async def reserve(self, name: str) -> str:
        """The URI of service `name`, listening from now on; it answers 404 until a revision serves."""
        if name not in self._services:
            listening = self._ports.open(name)
            front = FrontEnd(self._region, name, f"http://{HOST}:{listening.getsockname()[1]}")
            self._services[name] = _Service(front)
            await front.open(listening)
        return self._services[name].front.uri

    async def deploy(self, name: str, spec: Mapping[str, Any]) -> Revision:
        """The revision that serves `name` afterwards. `spec` holds the inputs of pulumi's cloudrunv2.Service.

        A changed template makes a new revision, which takes over once its first instance has passed its startup probe; if that
        fails, the old one keeps serving and Refused is raised with the container's last log lines.
        """
        template = read_template(
            spec, project=self._region.project, default_max=self._region.options.default_max_instances
        )
        if template.image not in self._region.images:
            known = ", ".join(sorted(self._region.images)) or "none"
            raise Refused(f"Image '{template.image}' not found; images that can run locally: {known}.")
        await self.reserve(name)
        service = self._services[name]
        async with service.deploying:
            revision = await self._serving(service, template)
            service.front.settings = dict(spec)
        return revision

    async def delete(self, name: str) -> None:
        """Stop listening and end every instance; its port stays remembered."""
        service = self._services.pop(name, None)
        if service is None:
            return
        async with service.deploying:
            revision, service.front.revision = service.front.revision, None
            await service.front.close()
            if revision:
                await revision.close()

    async def close(self) -> None:
        """End everything: SIGTERM, the grace period, SIGKILL."""
        await asyncio.gather(*(self.delete(name) for name in list(self._services)))
        await asyncio.gather(*(revision.close() for revision in self._retiring.values()), *self._retiring)
        await self._region.client.close()
        self._region.reaper.close()

    async def _serving(self, service: _Service, template: Template) -> Revision:
        old = service.front.revision
        if old and old.template == template:
            return old
        service.revisions += 1
        name = _revision_name(service.front.service, service.revisions)
        revision = Revision(self._region, service.front.service, name, template)
        try:
            await revision.launch()
        except StartFailed as error:
            raise Refused(str(error)) from error
        service.front.revision = revision
        if old:
            task = asyncio.create_task(old.drain())
            self._retiring[task] = old
            task.add_done_callback(self._retiring.pop)
        return revision


def _revision_name(service: str, number: int) -> str:
    """Like Cloud Run's, except that the three letters are not random."""
    digest = hashlib.sha256(f"{service}{number}".encode()).digest()
    letters = "".join("bcdfghjklmnpqrstvwxz"[byte % 20] for byte in digest[:3])
    return f"{service}-{number:05d}-{letters}"
