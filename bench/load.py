"""Load from wrk (github.com/wg/wrk), and its result. One thread; each request has a trace id of its own (load.lua)."""

import json
import shutil
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.processes import Child, Server, cores

SCRIPT = Path(__file__).with_name("load.lua")
MISSING = "wrk is needed: apt-get install wrk"


@dataclass(frozen=True)
class Load:
    """`pause_ms` is the mean pause of each connection after an answer; 0 means as fast as it can."""

    connections: int
    seconds: int
    pause_ms: int = 0


@dataclass(frozen=True)
class Outcome:
    """What wrk saw: requests per second, and latencies in ms."""

    requests: int
    failed: int
    rate: float
    p50_ms: float
    p99_ms: float


def available() -> bool:
    """Whether wrk is on the path."""
    return shutil.which("wrk") is not None


def run(server: Server, path: str, load: Load, seed: int) -> Outcome:
    """Put `load` on a server. The same seed gives the same trace ids. Raises BenchError if any request failed."""
    with closing(_start(server, path, load, seed)) as wrk:
        return _finish(wrk, server, load)


def warm_up(servers: Sequence[Server], path: str) -> None:
    """Wait until all servers answer, then let them work side by side until everything lazy has been loaded."""
    load = Load(connections=4, seconds=2)
    for server in servers:
        server.wait_until_ready()
    with ExitStack() as stack:
        started = [stack.enter_context(closing(_start(server, path, load, seed=0))) for server in servers]
        for server, wrk in zip(servers, started, strict=True):
            _finish(wrk, server, load)


def _start(server: Server, path: str, load: Load, seed: int) -> Child:
    command = ["wrk", "-t1", f"-c{load.connections}", f"-d{load.seconds}s", "-s", str(SCRIPT)]
    return Child("wrk", [*command, server.url + path, "--", str(seed), str(load.pause_ms)], {}, cores()[1])


def _finish(wrk: Child, server: Server, load: Load) -> Outcome:
    if not wrk.wait(load.seconds + 30):
        raise BenchError(f"wrk did not end within {load.seconds + 30} s")
    outcome = parse(wrk.output())
    if outcome.failed or not outcome.requests:
        failures = f"{outcome.failed} of {outcome.requests} requests failed"
        raise BenchError(f"{server.name}: {failures}. It wrote:\n{server.tail()}")
    return outcome


def parse(output: str) -> Outcome:
    """The line that load.lua adds to wrk's output. Raises BenchError without one."""
    line = next((line for line in output.splitlines() if line.startswith("bench ")), None)
    if line is None:
        raise BenchError(f"wrk printed no result of {SCRIPT.name}: {output}")
    found = json.loads(line.removeprefix("bench "))
    return Outcome(
        requests=found["requests"],
        failed=found["failed"],
        rate=found["requests"] / (found["us"] / 1e6),
        p50_ms=found["p50_us"] / 1000,
        p99_ms=found["p99_us"] / 1000,
    )
