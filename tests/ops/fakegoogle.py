"""A stand-in for the four read APIs that answers with prepared JSON. Not a test itself."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from handmade import PROJECT, TRACE_ID, v1

from traces.span import Trace

Answer = tuple[int, Any]


@dataclass
class FakeGoogle:
    """`answers` maps "METHOD /path" to answers given in turn, the last one for good; `seen` are (method, target, body).

    A body that is no JSON is in `raw` only; `headers` are those of each request, with names in small letters,
    and `sends` those of each answer.
    """

    url: str
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    seen: list[tuple[str, str, Any]] = field(default_factory=list)
    raw: list[tuple[str, str, bytes]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    sends: dict[str, str] = field(default_factory=dict)

    def on(self, request: str, *answers: Answer) -> None:
        self.answers[request] = list(answers)

    def serve(self, trace: Trace, entries: list[dict[str, Any]], locations: dict[str, str]) -> None:
        """All that `explain` reads of one trace."""
        spans = {"projectId": PROJECT, "traceId": TRACE_ID, "spans": [v1(span) for span in trace.spans]}
        self.on(f"GET /v1/projects/{PROJECT}/traces/{TRACE_ID}", (200, spans))
        self.on("POST /v2/entries:list", (200, {"entries": entries}))
        self.on(
            "GET /blueprint.json", (200, {"project": PROJECT, "region": "europe-southwest1", "services": []})
        )
        for name, location in locations.items():
            self.on(f"GET /storage/v1/b/{name}", (200, {"name": name, "location": location}))

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        self.raw.append((method, target, body))
        self.seen.append((method, target, json.loads(body) if body.startswith(b"{") else None))
        answers = self.answers.get(
            f"{method} {urlsplit(target).path}", [(404, {"error": {"message": "not found"}})]
        )
        return answers.pop(0) if len(answers) > 1 else answers[0]


@contextmanager
def fake_google() -> Iterator[FakeGoogle]:
    """A server on a free port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fake.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, answer = fake.answer(self.command, self.path, body)
            content = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            self.send_response(status)
            for header in (("Content-Length", str(len(content))), *fake.sends.items()):
                self.send_header(*header)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake = FakeGoogle(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield fake
        server.shutdown()
        thread.join()
