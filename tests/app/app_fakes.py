"""Servers that stand where Google's would, as small as the tests need: metadata, Cloud Storage, an OTLP receiver.

One threaded HTTP server plays all three; what it was asked is kept in `requests`.
"""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    answered: int = 0


@dataclass
class Answer:
    """What a server says: status, body, and how many seconds it thinks first, unless it is `released`."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


class Server:
    """A threaded HTTP server on a free port; subclasses answer."""

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self.arrived = threading.Condition()
        self.released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {key.lower(): value for key, value in self.headers.items()}
                asked = Asked(self.command, unquote(parts.path), parse_qs(parts.query), headers, body)
                answer = server.answer(asked)
                asked.answered = answer.status
                with server.arrived:
                    server.requests.append(asked)
                    server.arrived.notify_all()
                server.released.wait(answer.delay)
                self.send_response(answer.status)
                for key, value in {"content-length": str(len(answer.body)), **answer.headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128  # with the default of 5 a burst of connections waits for seconds

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that hangs up is part of the tests."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"

    def answer(self, asked: Asked) -> Answer:
        """Decide what to say."""
        raise NotImplementedError

    def wait_for(self, count: int, path: str, seconds: float = 30) -> list[Asked]:
        """The requests to `path`, once there are `count`."""

        def matching() -> list[Asked]:
            return [asked for asked in self.requests if asked.path == path]

        with self.arrived:
            assert self.arrived.wait_for(lambda: len(matching()) >= count, seconds), (
                f"fewer than {count} to {path}"
            )
        return matching()

    @contextmanager
    def running(self) -> Iterator["Server"]:
        """Serve until the end of the block."""
        thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        thread.start()
        try:
            yield self
        finally:
            self.released.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class Service(Server):
    """A next service that gives one answer to everything."""

    def __init__(self, answer: Answer | None = None) -> None:
        super().__init__()
        self.says = answer or Answer()

    def answer(self, asked: Asked) -> Answer:
        return self.says


class Cloud(Server):
    """Metadata server, bucket and OTLP receiver in one."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, tuple[dict[str, Any], bytes]] = {}
        self.export = Answer(body=b"")
        self.storage_delay = 0.0
        self.write_delay = 0.0
        self.storage_status: int | None = None
        self.tokens = 0
        self._uploads: dict[str, dict[str, Any]] = {}

    def spans(self) -> list[tuple[dict[str, Any], Any]]:
        """Every span received, with its resource's attributes."""
        return [pair for asked in self.requests if asked.path == "/v1/traces" for pair in _spans(asked.body)]

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/v1/traces":
            return self.export
        if "/storage/v1/" in asked.path:
            return self._storage(asked)
        return self._metadata(asked)

    def _metadata(self, asked: Asked) -> Answer:
        name = asked.path.removeprefix("/computeMetadata/v1/").rstrip("/")
        flavor = {"Metadata-Flavor": "Google", "content-type": "application/json"}
        account = {"aliases": ["default"], "email": "app@p.iam.gserviceaccount.com", "scopes": ["cloud"]}
        if name.endswith("/identity"):
            self.tokens += 1
            return Answer(
                body=_jwt(asked.query["audience"][0]), headers=flavor | {"content-type": "text/html"}
            )
        if name.endswith("/token"):
            self.tokens += 1
            return Answer(body=b'{"access_token": "access-secret", "expires_in": 3600}', headers=flavor)
        if "service-accounts" in name:
            listing = {"default": account} if name.endswith("service-accounts") else account
            return Answer(body=json.dumps(listing).encode(), headers=flavor)
        known = {
            "project/project-id": b"p",
            "instance/id": b"instance-7",
            "instance/region": b"projects/1/regions/r1",
        }
        return Answer(
            body=known.get(name, b""), headers={"Metadata-Flavor": "Google", "content-type": "text/plain"}
        )

    def _storage(self, asked: Asked) -> Answer:
        if self.storage_status:
            return Answer(
                self.storage_status, b'{"error": {"message": "no"}}', {"content-type": "application/json"}
            )
        answer = self._upload(asked) if asked.path.startswith("/upload/") else self._object(asked)
        answer.delay = self.storage_delay + (self.write_delay if asked.path.startswith("/upload/") else 0)
        return answer

    def _object(self, asked: Asked) -> Answer:
        found = self.objects.get(asked.path.rpartition("/o/")[2])
        if found is None:
            return Answer(404, b'{"error": {"message": "none"}}', {"content-type": "application/json"})
        meta, data = found
        if asked.query.get("alt") == ["media"]:
            return Answer(body=data, headers={"x-goog-hash": f"crc32c={_crc(data)}"})
        return _json(meta)

    def _upload(self, asked: Asked) -> Answer:
        if asked.method == "PUT":
            return self._keep(self._uploads.pop(asked.query["upload_id"][0]), asked.body)
        if asked.query["uploadType"] == ["resumable"]:
            self._uploads["u1"] = json.loads(asked.body) | {
                "contentType": asked.headers["x-upload-content-type"]
            }
            return Answer(headers={"location": f"{self.url}/upload/storage/v1/b/b/o?upload_id=u1"})
        boundary = asked.headers["content-type"].partition('boundary="')[2].rstrip('"').encode()
        first, second = asked.body.split(b"--" + boundary)[1:3]
        heads, _, data = second.partition(b"\r\n\r\n")
        kind = heads.partition(b"content-type: ")[2].strip().decode()
        return self._keep(json.loads(first.partition(b"\r\n\r\n")[2]) | {"contentType": kind}, data[:-2])

    def _keep(self, meta: dict[str, Any], data: bytes) -> Answer:
        if meta["name"] in self.objects:
            return Answer(412, b'{"error": {"message": "exists"}}', {"content-type": "application/json"})
        assert meta.get("crc32c", _crc(data)) == _crc(data)
        meta |= {"crc32c": _crc(data), "size": str(len(data)), "bucket": "bucket-1", "generation": "1"}
        self.objects[meta["name"]] = (meta, data)
        return _json(meta)


def _spans(body: bytes) -> Iterator[tuple[dict[str, Any], Any]]:
    for batch in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = {pair.key: pair.value.string_value for pair in batch.resource.attributes}
        for scope in batch.scope_spans:
            for span in scope.spans:
                yield resource, span


def _json(value: object) -> Answer:
    return Answer(body=json.dumps(value).encode(), headers={"content-type": "application/json"})


def _crc(data: bytes) -> str:
    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()


def _jwt(audience: str) -> bytes:
    parts = ({"alg": "RS256"}, {"aud": audience, "iat": int(time.time()), "exp": int(time.time()) + 3600})
    head, claims = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    return head + b"." + claims + b".c2ln"
