"""The container of these tests: a small threaded HTTP server on the standard library, steered by the path of each request."""

import json
import os
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

ballast = []
healthy = True


class Box(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        action = getattr(self, "do_" + url.path.strip("/").replace("/", "_"), None)
        body = (
            self.rfile.read(int(self.headers.get("Content-Length") or 0)) if action != self.do_early else b""
        )
        (action or self.do_echo)(query, body)

    do_GET = do_POST = do_PUT = do_HEAD = handle_any

    def answer(self, body, status=200, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_echo(self, query, body):
        seen = {"path": self.path, "method": self.command, "size": len(body), "headers": self.headers.items()}
        self.answer(json.dumps(seen).encode(), headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])

    def do_env(self, query, body):
        self.answer(json.dumps(dict(os.environ) | {"PID": os.getpid()}).encode())

    def do_hold(self, query, body):
        """Reports to the test's gate and answers when it opens."""
        with socket.create_connection(("127.0.0.1", int(query["gate"]))) as gate:
            gate.sendall(os.environ["K_REVISION"].encode() + b"\n")
            gate.recv(1)
        print("released", flush=True)
        self.answer(b"held")

    def do_stream(self, query, body):
        """Sends one piece, then the rest only after the gate has opened."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\nfirst\r\n")
        with socket.create_connection(("127.0.0.1", int(query["gate"]))) as gate:
            gate.sendall(b"stream\n")
            gate.recv(1)
        self.wfile.write(b"4\r\nlast\r\n0\r\n\r\n")

    def do_big(self, query, body):
        self.answer(b"x" * int(query["size"]))

    def do_early(self, query, body):
        """Answers without reading the body."""
        self.close_connection = True
        self.answer(b"too much", status=413)

    def do_kept(self, query, body):
        """Answers as a service does that keeps its part of the trace."""
        self.answer(b"", headers=[("traceresponse", self.headers["traceparent"])])

    def do_print(self, query, body):
        stream = sys.stderr if query.get("stream") == "stderr" else sys.stdout
        print(body.decode(), file=stream, flush=True)
        self.answer(b"")

    def do_crash(self, query, body):
        os._exit(3)

    def do_break(self, query, body):
        """Promises more than it sends."""
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"some")
        self.close_connection = True

    def do_nonsense(self, query, body):
        self.wfile.write(b"this is not HTTP\r\n\r\n")
        self.close_connection = True

    def do_eat(self, query, body):
        ballast.append(b"x" * int(query["bytes"]))
        threading.Event().wait()

    def do_sicken(self, query, body):
        global healthy
        healthy = False
        self.answer(b"")

    def do_healthz(self, query, body):
        print("probed", flush=True)
        self.answer(b"", status=200 if healthy else 500)

    def log_message(self, *args):
        pass


def stop(*_):
    print("terminating", flush=True)
    if not os.environ.get("STUBBORN"):
        os._exit(0)


if os.environ.get("REFUSE_TO_START"):
    print("KeyError: 'DATABASE'", file=sys.stderr)
    sys.exit(1)
if os.environ.get("NEVER_LISTEN"):
    print("thinking", flush=True)
    threading.Event().wait()
signal.signal(signal.SIGTERM, stop)
ThreadingHTTPServer.daemon_threads = True
ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Box).serve_forever()
