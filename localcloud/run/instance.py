"""One instance of a revision: a container, its metadata server, its probes, its share of CPU and memory.

It does not know which requests it serves, only how many.
"""

import asyncio
import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from aiohttp import web

from localcloud.logs.entries import container_entry
from localcloud.run.container import Container, Stream, launch
from localcloud.run.ports import HOST, free_port
from localcloud.run.probe import became_ready, failure_text, until_dead
from localcloud.run.region import Region
from localcloud.run.template import Template
from localcloud.run.trace_headers import Sampling

Reason = Literal["AUTOSCALING", "DEPLOYMENT_ROLLOUT", "MANUAL_OR_CUSTOMER_MIN_INSTANCE"]


class StartFailed(Exception):
    """The container ended or did not pass its startup probe; says so in Cloud Run's words, with the container's last lines."""


class Instance:
    """`start`, then `ended` (which waits and cleans up); `stop` makes it end."""

    def __init__(self, region: Region, service: str, revision: str, template: Template) -> None:
        self.id = secrets.token_hex(32)
        self.port = free_port()
        self.active = 0
        self.sampling = Sampling(region.options.sample_interval, region.options.clock)
        self.out_of_memory = False
        self.stopping = False
        self._region, self._service, self._revision, self._template = region, service, revision, template
        self._cpu_holders = 0
        self._watches: list[asyncio.Task[None]] = []
        self._cleanup = contextlib.AsyncExitStack()
        self._container: Container | None = None

    async def start(self, reason: Reason) -> None:
        """Returns when the startup probe has passed; raises StartFailed, with nothing left running."""
        self._log(f"Starting new instance. Reason: {reason}")
        try:
            await self._launch()
            await self._probe_startup()
        except BaseException:
            await asyncio.shield(self._discard())
            raise
        self._watches.append(asyncio.create_task(self._watch_memory()))
        if self._template.liveness:
            self._watches.append(asyncio.create_task(self._watch_liveness()))

    async def ended(self) -> None:
        """Waits for the container's end, whoever caused it, and removes what belonged to it."""
        assert self._container
        status = await self._container.exited()
        if not self.stopping:
            how = (
                f"Container called exit({status})."
                if status >= 0
                else f"Container terminated on signal {-status}."
            )
            self._log(how, "WARNING")
        self.stopping = True
        await self._discard()

    async def stop(self) -> None:
        """SIGTERM with CPU, the grace period, SIGKILL."""
        self.stopping = True
        if self._container:
            await self._container.stop(self._region.options.grace)

    def enter(self) -> None:
        """A request begins."""
        self.active += 1
        self._hold_cpu()

    def leave(self) -> None:
        """A request ends."""
        self.active -= 1
        self._release_cpu()

    @contextlib.contextmanager
    def cpu(self) -> Iterator[None]:
        """CPU for something other than a request, a probe for one."""
        self._hold_cpu()
        try:
            yield
        finally:
            self._release_cpu()

    def _hold_cpu(self) -> None:
        self._cpu_holders += 1
        if self._cpu_holders == 1 and self._template.cpu_idle and self._container:
            self._container.wake()

    def _release_cpu(self) -> None:
        self._cpu_holders -= 1
        if self._cpu_holders == 0 and self._template.cpu_idle and self._container and not self.stopping:
            self._container.freeze()

    async def _launch(self) -> None:
        region = self._region
        runner = web.AppRunner(
            region.metadata(email=self._template.service_account, instance_id=self.id),
            access_log=None,
            shutdown_timeout=0.1,
        )
        await runner.setup()
        self._cleanup.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        metadata = f"{HOST}:{runner.addresses[0][1]}"
        home = Path(tempfile.mkdtemp(prefix=f"{self._revision}-", dir=region.options.scratch))
        self._cleanup.callback(shutil.rmtree, home, ignore_errors=True)
        env = dict(self._template.env) | dict(region.platform_env)
        env |= {"K_SERVICE": self._service, "K_CONFIGURATION": self._service, "K_REVISION": self._revision}
        env |= {"PORT": str(self.port), "HOST": HOST}
        env |= {"GCE_METADATA_HOST": metadata, "GCE_METADATA_IP": metadata}
        self._container = await launch(
            region.images[self._template.image], env, home, region.reaper, self._on_line
        )

    async def _probe_startup(self) -> None:
        assert self._container
        probe, options = self._template.startup, self._region.options
        asked = asyncio.create_task(
            became_ready(
                probe, self.port, self._region.client, cap=options.startup_cap, poll=options.probe_poll
            )
        )
        ended = asyncio.create_task(self._container.exited())
        try:
            await asyncio.wait({asked, ended}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                self._log(f"Container called exit({ended.result()}).", "WARNING")
            elif asked.result():
                return
        finally:
            asked.cancel()
            ended.cancel()
        self._log(
            failure_text(probe, "STARTUP", f"{self._service}-1", "The instance was not started."), "ERROR"
        )
        raise StartFailed(
            "\n".join([_start_failure(self._revision, self._template), *self._container.last_lines])
        )

    async def _discard(self) -> None:
        self.stopping = True
        for watch in self._watches:
            watch.cancel()
        if self._container:
            self._container.kill()
            await self._container.exited()
        await self._cleanup.aclose()

    async def _watch_memory(self) -> None:
        """Resident memory of the first process only; files written do not count, as they do on Cloud Run."""
        assert self._container
        limit = self._template.memory
        while True:
            await asyncio.sleep(self._region.options.memory_poll)
            if (used := self._container.memory()) > limit:
                break
        self._log(
            f"Memory limit of {limit >> 20} MiB exceeded with {used >> 20} MiB used. Consider increasing the memory limit, "
            "see https://cloud.google.com/run/docs/configuring/memory-limits",
            "ERROR",
        )
        self.stopping = self.out_of_memory = True
        self._container.kill()

    async def _watch_liveness(self) -> None:
        assert self._container
        assert self._template.liveness
        probe, options = self._template.liveness, self._region.options
        await until_dead(probe, self.port, self._region.client, scale=options.liveness_scale, cpu=self.cpu)
        self._log(
            failure_text(probe, "LIVENESS", f"{self._service}-1", "The instance will be shut down."), "ERROR"
        )
        self.stopping = True
        self._container.kill()

    def _on_line(self, stream: Stream, line: str) -> None:
        self._region.logs.write(
            container_entry(
                line,
                project=self._region.project,
                stream=stream,
                resource=self._region.resource(self._service, self._revision),
                labels={"instanceId": self.id},
            )
        )

    def _log(self, text: str, severity: str = "INFO") -> None:
        self._region.log_system(self._service, self._revision, text, instance=self.id, severity=severity)


def _start_failure(revision: str, template: Template) -> str:
    if template.startup.is_default:
        cause = (
            "The user-provided container failed to start and listen on the port defined provided by the PORT environment "
            "variable within the allocated timeout. This can happen when the container port is misconfigured or if the timeout is too short."
        )
    else:
        cause = "The user-provided container failed the configured startup probe checks."
    return f"Revision '{revision}' is not ready and cannot serve traffic. {cause}"
