"""No container outlives the process that started it, whatever ends that process."""

import os
import signal
import subprocess
import sys

import pytest

from localcloud.run.container import _GATE

OWNER = """
import asyncio, sys
from pathlib import Path
from localcloud.run.container import Image, launch
from localcloud.run.reaper import Reaper

async def main():
    image = Image(("/bin/sh", "-c", "trap '' TERM HUP; sleep 600 & echo $! $$; wait"), Path("/"))
    await launch(image, {}, Path("/"), Reaper(), lambda stream, line: print(line, flush=True))
    await asyncio.Event().wait()

asyncio.run(main())
"""


def gone(pid):
    """Whether a process has ended; whoever inherited it may not have collected it yet."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return state.stdout.strip()[:1] in ("", "Z")


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_every_process_of_a_container_ends_when_its_owner_is_killed(end, until):
    with subprocess.Popen(  # noqa: ASYNC220 - starting it takes no time worth a thread
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as owner:
        assert owner.stdout
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(pids) == 2
        assert not any(gone(pid) for pid in pids)
        os.kill(owner.pid, end)
        owner.wait()
        await until(lambda: all(gone(pid) for pid in pids))


def test_a_container_whose_owner_dies_before_it_is_watched_ends_by_itself():
    """The gate in front of every container: without its line on stdin nothing is run."""
    gated = subprocess.run(
        [*_GATE, "echo", "running"], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    assert (gated.returncode, gated.stdout) == (1, b"")
