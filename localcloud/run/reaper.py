"""A tiny process that outlives us by a moment: when our end of its pipe closes, it kills the containers still running.

It runs this very file with nothing but the standard library, in a session of its own, so it also works after `kill -9`.
"""

import contextlib
import os
import signal
import subprocess
import sys


class Reaper:
    """Containers are registered before they run (see container.py), so that there is no moment in which one can escape."""

    def __init__(self) -> None:
        self.watched: set[int] = set()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, pid: int) -> None:
        self.watched.add(pid)
        self._tell(f"+{pid}\n")

    def forget(self, pid: int) -> None:
        self.watched.discard(pid)
        self._tell(f"-{pid}\n")

    def close(self) -> None:
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin
        with contextlib.suppress(
            BrokenPipeError
        ):  # somebody killed the reaper: the containers themselves are still fine
            os.write(self._process.stdin.fileno(), line.encode())


def main() -> None:
    pids: set[int] = set()
    for line in sys.stdin:
        change = pids.add if line[0] == "+" else pids.discard
        change(int(line[1:]))
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
