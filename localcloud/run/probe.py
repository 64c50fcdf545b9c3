"""Asking a container whether it is up (startup) or still alive (liveness), over HTTP or TCP."""

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager

import aiohttp

from localcloud.run.ports import HOST
from localcloud.run.template import Probe


async def passes(probe: Probe, port: int, session: aiohttp.ClientSession) -> bool:
    """One attempt within the probe's timeout; HTTP passes with 2xx and 3xx."""
    with contextlib.suppress(OSError, aiohttp.ClientError, TimeoutError):
        async with asyncio.timeout(probe.timeout):
            return await (_http(probe, port, session) if probe.path else _tcp(port))
    return False


async def became_ready(
    probe: Probe, port: int, session: aiohttp.ClientSession, *, cap: float, poll: float
) -> bool:
    """Poll until the probe passes or its whole allowance, at most `cap` seconds, is used up."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(min(probe.allowance, cap)):
            await asyncio.sleep(min(probe.initial_delay, poll))
            while True:
                if await passes(probe, port, session):
                    return True
                await asyncio.sleep(poll)
    return False


async def until_dead(
    probe: Probe,
    port: int,
    session: aiohttp.ClientSession,
    *,
    scale: float,
    cpu: Callable[[], AbstractContextManager[None]],
) -> None:
    """Returns once the probe has failed `failures` times in a row; each attempt gets `cpu`."""
    await asyncio.sleep(probe.initial_delay * scale)
    failed = 0
    while failed < probe.failures:
        await asyncio.sleep(probe.period * scale)
        with cpu():
            failed = 0 if await passes(probe, port, session) else failed + 1


def failure_text(probe: Probe, kind: str, container: str, consequence: str) -> str:
    """Cloud Run's log line for a probe that used up its attempts."""
    where = f'path "{probe.path}"' if probe.path else "its port"
    times = f"{probe.failures} time{'s' if probe.failures > 1 else ''}"
    prefix = "Default " if probe.is_default else ""
    return f'{prefix}{kind} {probe.label} probe failed {times} consecutively for container "{container}" on {where}. {consequence}'


async def _tcp(port: int) -> bool:
    _, writer = await asyncio.open_connection(HOST, port)
    writer.close()
    await writer.wait_closed()
    return True


async def _http(probe: Probe, port: int, session: aiohttp.ClientSession) -> bool:
    async with session.get(f"http://{HOST}:{port}{probe.path}", headers=probe.headers) as response:
        return response.status < 400
