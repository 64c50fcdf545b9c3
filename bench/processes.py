"""Child processes that are pinned, frozen and thawed, ended as Cloud Run ends them, and never left behind.

On Linux the kernel ends them with the harness, even after `kill -9`; elsewhere they are only ended by `close`.
"""

import contextlib
import ctypes
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.errors import BenchError

ROOT = Path(__file__).parents[1]
START_S = 60.0
GRACE_S = 10.0  # from SIGTERM to SIGKILL on Cloud Run
_POLL_S = 0.002
_UNSHARE = ("unshare", "--pid", "--fork", "--kill-child")
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def cores() -> tuple[set[int], set[int]]:
    """The core for the server under test, and those for everything else; both empty where they cannot be told apart."""
    if sys.platform != "linux" or len(available := sorted(os.sched_getaffinity(0))) < 2:
        return set(), set()
    return {available[-1]}, set(available[:-1])


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Child:
    """A process in a group of its own, with nothing of our environment but the path; its output goes to a file."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], pinned_to: set[int]
    ) -> None:
        self.name, self._cores = name, pinned_to
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
        # A clean environment: above all without PYTHONDONTWRITEBYTECODE, as images carry byte code.
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "PYTHONPATH") if key in os.environ}
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=kept | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
            preexec_fn=self._prepare,
        )

    def _prepare(self) -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if self._cores and sys.platform == "linux":
            os.sched_setaffinity(0, self._cores)

    @property
    def _pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it is gone."""
        return self._process.poll() is not None

    def send(self, number: signal.Signals) -> None:
        """A signal for the process, if it still runs."""
        if not self.ended:
            os.kill(self._pid, number)

    def output(self) -> str:
        """What it has written so far."""
        # Without moving the file's position, which it shares with us.
        file = self._output.fileno()
        return os.pread(file, os.fstat(file).st_size, 0).decode(errors="replace")

    def tail(self) -> str:
        """The last lines that it wrote, for an error's message."""
        return "\n".join(self.output().splitlines()[-15:])[-2000:] or "(it wrote nothing)"

    def wait(self, seconds: float) -> bool:
        """Whether it ended within `seconds`."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def terminate(self) -> None:
        """Begin its end as Cloud Run does: with CPU, and SIGTERM."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)

    def close(self) -> None:
        """End it now, with whatever it has started. A second time does nothing."""
        if self._output.closed:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._output.close()

    def memory_mb(self) -> float:
        """Resident memory, MB of 10^6 bytes."""
        status = Path(f"/proc/{self._pid}/status")
        if status.exists():
            line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
            return int(line.split()[1]) * 1024 / 1e6
        found = subprocess.run(["ps", "-o", "rss=", "-p", str(self._pid)], capture_output=True, check=True)
        return int(found.stdout) * 1024 / 1e6


def pid_1_launcher() -> list[str]:
    """The command that makes the next one PID 1 of a namespace of its own; empty where that is not permitted."""
    for launcher in ([*_UNSHARE], [*_UNSHARE, "--map-root-user"]):
        with contextlib.suppress(OSError):
            if subprocess.run([*launcher, "true"], capture_output=True, check=False).returncode == 0:
                return launcher
    return []


def scale_in(children: Sequence[Child]) -> None:
    """End processes as Cloud Run does: SIGTERM to all, ten seconds, SIGKILL."""
    for child in children:
        child.terminate()
    deadline = time.monotonic() + GRACE_S
    for child in children:
        child.wait(max(0.0, deadline - time.monotonic()))
        child.close()


class Server(Child):
    """A variant's server; a `launcher` of `pid_1_launcher` puts it into a namespace of its own."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        pinned_to: set[int],
        launcher: Sequence[str] = (),
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.started = time.perf_counter()
        self._launched = bool(launcher)
        super().__init__(name, [*launcher, *command], {**environment, "PORT": str(self.port)}, pinned_to)

    @property
    def _pid(self) -> int:
        if not self._launched:
            return super()._pid
        launcher = super()._pid
        children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
        return int(children[0]) if children else launcher

    def wait_until_ready(self) -> float:
        """Seconds from its start to its first answer on /noop. Raises BenchError if there is none."""
        while time.perf_counter() - self.started < START_S:
            if self._answers():
                return time.perf_counter() - self.started
            if self.ended:
                raise BenchError(f"{self.name} ended before it answered. It wrote:\n{self.tail()}")
            time.sleep(_POLL_S)
        raise BenchError(f"{self.name} did not answer within {START_S:.0f} s. It wrote:\n{self.tail()}")

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_S)
        try:
            connection.request("GET", "/noop")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def freeze(self) -> None:
        """Take its CPU away."""
        self.send(signal.SIGSTOP)

    @contextmanager
    def thawed(self) -> Iterator["Server"]:
        """Let it run for the length of a block, then freeze it."""
        self.send(signal.SIGCONT)
        try:
            yield self
        finally:
            self.freeze()
