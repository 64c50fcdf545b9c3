"""Real processes of the template (`python -m app`), each on a free port, and a client that no instrumentation sees."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TEMPLATE = ("-m", "app")
OWN = (str(Path(__file__).with_name("app_service.py")),)
PATIENT = (*OWN, "patient")
# From SIGTERM to SIGKILL on Cloud Run.
KILLED_S = 10


class Reply:
    """A response, read to its end."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.body = response.status, response.read()
        self.headers = {key.lower(): value for key, value in response.getheaders()}

    def json(self) -> dict[str, Any]:
        """The body's object."""
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


def ask(
    url: str,
    method: str = "GET",
    path: str = "/",
    body: Any = None,
    headers: Mapping[str, str | bytes] | None = None,
) -> Reply:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        return Reply(connection.getresponse())
    finally:
        connection.close()


class Process:
    """A running template; its log lines are parsed as they come."""

    def __init__(
        self, env: Mapping[str, str], program: Sequence[str] = TEMPLATE, launcher: Sequence[str] = ()
    ) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        keep = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        base = {"HOST": "127.0.0.1", "PORT": str(port), "OTEL_TRACES_EXPORTER": "none"}
        self.process = subprocess.Popen(
            [*launcher, sys.executable, *program],
            cwd=ROOT,
            env={**keep, **base, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        self.changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._collect, args=(self.process.stdout, self.lines), daemon=True),
            threading.Thread(target=self._collect, args=(self.process.stderr, self.errors), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _collect(self, stream: Any, into: list[str]) -> None:
        for line in stream:
            with self.changed:
                into.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            into.append("")
            self.changed.notify_all()

    @property
    def logs(self) -> list[dict[str, Any]]:
        """Every line so far; one that is not JSON fails the test."""
        return [json.loads(line) for line in list(self.lines) if line]

    def wait_for_log(self, seconds: float = 30, **fields: object) -> dict[str, Any]:
        """The first log line with these fields, once there is one."""

        def found() -> list[dict[str, Any]]:
            return [
                line for line in self.logs if all(line.get(key) == value for key, value in fields.items())
            ]

        with self.changed:
            assert self.changed.wait_for(lambda: bool(found()), seconds), (
                f"no line with {fields}: {self.lines}"
            )
        return found()[0]

    def wait_until_ready(self) -> None:
        """Return once uvicorn listens."""

        def ready() -> bool:
            return any("Uvicorn running" in line for line in self.lines) or self.process.poll() is not None

        with self.changed:
            self.changed.wait_for(ready, 60)
        assert self.process.poll() is None, (self.lines, self.errors)

    def stop(self, seconds: float = 30) -> int:
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.end(seconds)

    def end(self, seconds: float = 30) -> int:
        """The exit status, once it ended of itself and all its lines are read."""
        status = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(30)
        return status


@contextmanager
def service(
    env: Mapping[str, str], program: Sequence[str] = TEMPLATE, launcher: Sequence[str] = ()
) -> Iterator[Process]:
    """A process that is ready, and gone afterwards."""
    process = Process(env, program, launcher)
    try:
        process.wait_until_ready()
        yield process
    finally:
        if process.process.poll() is None:
            process.process.send_signal(signal.SIGCONT)
            process.process.kill()
        process.end()
        for stream in (process.process.stdout, process.process.stderr):
            if stream:
                stream.close()
