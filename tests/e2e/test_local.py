"""`make local`: what it says, what it keeps, and that nothing of it outlives it."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("cloud")


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-u", "-m", "ops", *map(str, arguments)]


def environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "COLUMNS": "200"}


@contextlib.contextmanager
def local(state: Path, end: int = signal.SIGINT) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A `blueprint local` that is up, and its /blueprint.json; ended by the signal `end`."""
    process = subprocess.Popen(
        command("local", "--engine", "embedded", "--state", state),
        cwd=ROOT,
        env=environment(state.parent),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if line.startswith("stop"):
            break
    try:
        console = re.search(r"console\s+(http://127\.0\.0\.1:\d+)", said)
        assert console, said
        yield process, {"url": console[1], **requests.get(console[1] + "/blueprint.json", timeout=30).json()}
    finally:
        process.send_signal(end)
        process.wait(timeout=60)
        process.stdout.close()


def children(pid: int) -> set[int]:
    """All descendants of a process."""
    found: set[int] = set()
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        new = {child for child, of in pairs if of == parent} - found
        found |= new
        waiting.extend(new)
    return found


def alive(pids: set[int]) -> set[int]:
    """Those that still run; a zombie has ended and waits only for its parent to ask."""
    running = set()
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                running.add(pid)
    return running


def gateway(about: dict[str, Any]) -> str:
    return str(next(service["url"] for service in about["services"] if service["name"] == "gateway"))


def stored_at(about: dict[str, Any]) -> dict[str, Any]:
    """What a document's answer says: sent again if a first request overran its second, as it may on a busy machine."""
    for _ in range(30):
        answer = requests.post(gateway(about) + "/documents?name=a.txt", data=b"one two", timeout=60)
        if answer.status_code != 504:
            break
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_second_run_finds_what_the_first_stored(tmp_path: Path) -> None:
    """Objects and addresses last; the services are listed with their URLs, project and region."""
    with local(tmp_path / "state") as (_, about):
        assert (about["project"], about["region"]) == ("blueprint-local", "europe-southwest1")
        assert {service["name"] for service in about["services"]} >= {"gateway", "extract", "archive"}
        stored = stored_at(about)
        first = gateway(about)
    with local(tmp_path / "state") as (_, about):
        assert gateway(about) == first
        answer = requests.get(f"{first}/documents/{stored['id']}", timeout=60)
        assert (answer.status_code, answer.content) == (200, b"one two")


def test_explain_finds_the_running_cloud(tmp_path: Path) -> None:
    """`blueprint explain` reads the trace back through the address that `local` printed."""
    with local(tmp_path / "state") as (_, about):
        stored = stored_at(about)
        # The spans leave within half a second; explain refuses a trace that has not arrived.
        for _ in range(50):
            done = subprocess.run(
                command("explain", stored["trace_id"], "--endpoint", about["url"]),
                cwd=ROOT,
                env=environment(tmp_path),
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            if "archive" in done.stdout:
                break
        assert done.returncode == 0, done.stderr
        assert "Critical path" in done.stdout


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_it(tmp_path: Path, end: int) -> None:
    """Services end with the command, however it is ended."""
    with local(tmp_path / "state", end) as (process, _):
        started = children(process.pid)
        assert len(started) >= 3
    # After SIGKILL it is the reaper's turn, which polls nothing: it wakes when our end of its pipe closes.
    for pid in started:
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            select.select([descriptor], [], [], 30)
            os.close(descriptor)
    assert not alive(started)


def test_a_second_command_on_the_same_state_is_refused(tmp_path: Path) -> None:
    """Two clouds over one directory would corrupt each other: the second names the first and the remedy."""
    with local(tmp_path / "state") as (process, _):
        second = subprocess.run(
            command("local", "--state", tmp_path / "state"),
            cwd=ROOT,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert second.returncode == 1
        assert f"Process {process.pid} is already using" in second.stderr
        assert "Traceback" not in second.stderr


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    """--port names the port that is taken, and the remedy; nothing is left running."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run(
            command("local", "--port", str(taken.getsockname()[1]), "--state", tmp_path / "state"),
            cwd=ROOT,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 1
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr
