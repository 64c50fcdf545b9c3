"""One container as a child process in a session of its own: started, read line by line, frozen, woken and ended.

It knows nothing of requests or probes. POSIX only.
"""

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from localcloud.logs.entries import MAX_ENTRY_BYTES
from localcloud.run.reaper import Reaper

Stream = Literal["stdout", "stderr"]

# The child waits for one line on stdin before it becomes the container. Until then the reaper may not know it yet;
# if we die in that moment the line never comes and the child ends by itself.
_GATE = ("/bin/sh", "-c", 'read -r _ && exec "$@"', "container")
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Image:
    """What a container image stands for locally. Output should not be buffered: for Python, `python -u`."""

    argv: tuple[str, ...]
    cwd: Path


class Container(asyncio.SubprocessProtocol):
    """`on_line(stream, text)` gets every line of stdout and stderr."""

    def __init__(self, reaper: Reaper, on_line: Callable[[Stream, str], None]) -> None:
        self._reaper = reaper
        self._on_line = on_line
        self._lines: dict[int, Lines] = {1: Lines(), 2: Lines()}
        self._ended = asyncio.Event()
        self._read_out = asyncio.Event()
        self.last_lines: deque[str] = deque(maxlen=20)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport
        self.pid: int = transport.get_pid()
        self._reaper.watch(self.pid)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._take(fd, self._lines[fd].feed(data))

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd in self._lines:
            self._take(fd, self._lines[fd].end())

    def process_exited(self) -> None:
        self.kill()  # what the first process left behind ends with it, as it does with a real container
        self._reaper.forget(self.pid)
        self._ended.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._read_out.set()

    async def exited(self) -> int:
        """Waits for the end and the last line of output; the exit status, negative for a signal."""
        await self._ended.wait()
        with contextlib.suppress(
            TimeoutError
        ):  # a grandchild in another session can hold the pipes open for ever
            await asyncio.wait_for(self._read_out.wait(), 1.0)
        self._transport.close()
        status = self._transport.get_returncode()
        assert status is not None
        return status

    def freeze(self) -> None:
        self._signal_group(signal.SIGSTOP)

    def wake(self) -> None:
        self._signal_group(signal.SIGCONT)

    def kill(self) -> None:
        self._signal_group(signal.SIGKILL)

    async def stop(self, grace: float) -> None:
        """SIGTERM to the container's first process, `grace` seconds, then SIGKILL to all of its processes."""
        self.wake()
        with contextlib.suppress(ProcessLookupError, TimeoutError):
            self._transport.terminate()
            await asyncio.wait_for(self._ended.wait(), grace)
        self.kill()
        await self._ended.wait()

    def memory(self) -> int:
        """Resident bytes of the first process; 0 where there is no /proc."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE
        except OSError:
            return 0

    def _signal_group(self, number: int) -> None:
        if not self._ended.is_set():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def _take(self, fd: int, lines: Iterable[str]) -> None:
        for line in lines:
            self.last_lines.append(line)
            self._on_line("stdout" if fd == 1 else "stderr", line)


async def launch(
    image: Image, env: Mapping[str, str], home: Path, reaper: Reaper, on_line: Callable[[Stream, str], None]
) -> Container:
    """Start `image` with `env` and, of the developer's own environment, only the search path, the language and the time zone."""
    inherited = {key: os.environ[key] for key in _INHERITED if key in os.environ}
    transport, container = await asyncio.get_running_loop().subprocess_exec(
        lambda: Container(reaper, on_line),
        *_GATE,
        *image.argv,
        cwd=image.cwd,
        env=inherited | {"HOME": str(home)} | dict(env),
        start_new_session=True,
    )
    gate = transport.get_pipe_transport(0)
    assert isinstance(gate, asyncio.WriteTransport)
    gate.write(b"\n")
    gate.close()
    return container


class Lines:
    """Cuts a stream into lines without their ends; one longer than a log entry may be comes in several pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
        while len(self._rest) >= MAX_ENTRY_BYTES:
            yield self._rest[:MAX_ENTRY_BYTES].decode(errors="replace")
            self._rest = self._rest[MAX_ENTRY_BYTES:]

    def end(self) -> Iterator[str]:
        if self._rest:
            yield self._rest.decode(errors="replace")
