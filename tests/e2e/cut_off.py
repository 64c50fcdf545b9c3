"""A first deployment whose engine is killed, and how it goes on: `cut_off.py arrived|lost DIRECTORY`, run by a test as a process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from pulumi import automation as auto
from real_engine import RealEngine, real_engine

from tests.infra.stack_files import filled_in

BASE = filled_in("dev")


def main(arrived: bool, directory: Path) -> None:
    """`arrived`: what the engine had asked of the cloud came about all the same."""
    with real_engine(directory, "dev", "acme-docs", "europe-southwest1") as engine:
        cut_off(engine, arrived)
        go_on(engine, arrived)


def cut_off(engine: RealEngine, arrived: bool) -> None:
    """Kill the engine while the cloud holds all of its creations."""
    engine.cloud.hold = asyncio.Event()
    first = threading.Thread(target=_fails, args=(engine,))
    assert engine.handle
    first.start()
    assert engine.cloud.busy.wait(60)
    backend = engine.directory / "backend" / ".pulumi"
    _await_quiet(backend / "stacks")
    (lock,) = (backend / "locks").rglob("*.json")
    os.kill(json.loads(lock.read_text(encoding="utf-8"))["pid"], signal.SIGKILL)
    first.join()
    if arrived:  # within one turn of its loop
        engine.wake()
        engine.elsewhere(asyncio.sleep(0))


def go_on(engine: RealEngine, arrived: bool) -> None:
    """The recipe of docs/state.md."""
    pending = engine.state()["pending_operations"]
    assert pending, "the state remembers what it does not know the end of"

    engine.run("cancel", "--yes")
    known = {f"{each.type}::{each.name}": each.id for each in engine.resources.all()} if arrived else {}
    ids = [
        word
        for each in pending
        if (id := known.get(each["resource"]["urn"].rpartition("$")[2]))
        for word in ("--import-pending-creates", each["resource"]["urn"], "--import-pending-creates", id)
    ]
    engine.run("refresh", "--yes", *ids, "--clear-pending-creates")
    engine.cloud.hold = None
    assert not engine.state().get("pending_operations")
    engine.up(BASE)
    assert engine.preview(BASE) == {}


def _await_quiet(states: Path) -> None:
    """Until the engine writes no state any more. Nothing announces the last of its writes.

    The file backend writes in place: killed in the midst it leaves half a file, and the whole one beside it as `.bak`.
    """
    until, seen, since = time.monotonic() + 60, 0, time.monotonic()
    while time.monotonic() < until and time.monotonic() - since < 0.5:
        written = max(each.stat().st_mtime_ns for each in states.rglob("*.json"))
        if written != seen:
            seen, since = written, time.monotonic()
        time.sleep(0.02)


def _fails(engine: RealEngine) -> None:
    with contextlib.suppress(auto.CommandError):
        engine.up(BASE)
        raise AssertionError("the killed deployment ended well")


if __name__ == "__main__":
    main(sys.argv[1] == "arrived", Path(sys.argv[2]))
