"""Load from wrk (github.com/wg/wrk), and its result. One thread; each request has a trace id of its own, and one of 64 user
agents (load.lua)."""

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
    """`pause_ms` is the mean pause of each connection after an answer; 0 means as fast as it can.

    Of `fail_every` requests one asks /fail to answer 500; 0 means none.
    """

    connections: int
    seconds: int
    pause_ms: int = 0
    fail_every: int = 0


@dataclass(frozen=True)
class Outcome:
    """What wrk saw: answers of 400 and above are `refused`, and connections without an answer `failed`."""

    requests: int
    failed: int
    refused: int
    rate: float
    p99_ms: float


def available() -> bool:
    """Whether wrk is on the path."""
    return shutil.which("wrk") is not None


def run(server: Server, path: str, load: Load, seed: int) -> Outcome:
    """Put `load` on a server; a path that ends in a slash gets a random id. The same seed gives the same requests.

    Raises BenchError if any request failed that was not asked to.
    """
    with closing(_start(server, path, load, seed)) as wrk:
        return _finish(wrk, server, load)


def warm_up(servers: Sequence[Server], path: str, seconds: int) -> None:
    """Wait until all servers answer, then let them work side by side until everything lazy has been loaded."""
    load = Load(connections=4, seconds=seconds)
    for server in servers:
        server.wait_until_ready()
    with ExitStack() as stack:
        started = [stack.enter_context(closing(_start(server, path, load, seed=0))) for server in servers]
        for server, wrk in zip(servers, started, strict=True):
            _finish(wrk, server, load)


def _start(server: Server, path: str, load: Load, seed: int) -> Child:
    command = ["wrk", "-t1", f"-c{load.connections}", f"-d{load.seconds}s", "-s", str(SCRIPT)]
    numbers = [str(number) for number in (seed, load.pause_ms, load.fail_every)]
    return Child("wrk", [*command, server.url + path, "--", *numbers], {}, cores()[1])


def _finish(wrk: Child, server: Server, load: Load) -> Outcome:
    if not wrk.wait(load.seconds + 30):
        raise BenchError(f"wrk did not end within {load.seconds + 30} s")
    outcome = parse(wrk.output())
    # One more than their share: requests are counted as they are answered, not as they are sent.
    asked_to = outcome.requests // load.fail_every + 1 if load.fail_every else 0
    if outcome.failed or outcome.refused > asked_to or not outcome.requests:
        failures = (
            f"{outcome.failed + outcome.refused} of {outcome.requests} requests failed, {asked_to} should"
        )
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
        refused=found["refused"],
        rate=found["requests"] / (found["us"] / 1e6),
        p99_ms=found["p99_us"] / 1000,
    )
