"""The harness's end of the sinks process: its addresses, and what has arrived there."""

import json
import sys
import time
import urllib.request
from typing import Any

from bench.errors import BenchError
from bench.processes import START_S, Child, cores
from bench.spans import Span
from bench.variants import Backend


class Backends:
    """Started with the run and ended with it."""

    def __init__(self) -> None:
        _, others = cores()
        self._child = Child("sinks", [sys.executable, "-m", "bench.sinks"], {}, others)
        addresses = self._addresses()
        http = addresses["http"]
        self._url = f"http://{http}"
        self.next_url = f"http://{addresses['next']}/next"
        self.healthy = Backend(self._url, addresses["cloud_trace"], http)
        self.hanging = Backend(f"{self._url}/hanging", addresses["cloud_trace_hanging"], http)

    def reset(self) -> None:
        """Forget what has arrived."""
        self._ask("/control/reset", "POST")

    def spans(self) -> list[Span]:
        """Every span since the last `reset`."""
        return [Span(*fields) for fields in json.loads(self._ask("/control/spans"))]

    def close(self) -> None:
        """End the process."""
        self._child.close()

    def _ask(self, path: str, method: str = "GET") -> bytes:
        request = urllib.request.Request(self._url + path, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return bytes(answer.read())
        except OSError as error:
            raise BenchError(f"the sinks: {error!r}. They wrote:\n{self._child.tail()}") from error

    def _addresses(self) -> dict[str, Any]:
        until = time.monotonic() + START_S
        while time.monotonic() < until and not self._child.ended:
            written = self._child.output()
            if written.startswith("{") and "\n" in written:
                return dict(json.loads(written.splitlines()[0]))
            time.sleep(0.02)
        wrote = self._child.tail()
        self._child.close()
        raise BenchError(f"the sinks did not start. They wrote:\n{wrote}")
