"""What goes wrong in a real process comes out as JSON lines for Error Reporting, each in its trace, without secrets."""

import json
import os
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from app_process import ask, service

ROOT = Path(__file__).parents[2]
TRACEBACK = "Traceback (most recent call last):\n"
TRACE = "logging.googleapis.com/trace"

SETUP = """
import asyncio, gc, logging, sys, threading, warnings
from app import settings, telemetry
telemetry.setup(settings.load())
from opentelemetry import trace
tracer = trace.get_tracer("t")
log = logging.getLogger("app.t")

def say(what):
    context = trace.get_current_span().get_span_context()
    log.info("%s", what, extra={"here": f"projects/p/traces/{context.trace_id:032x}"})
"""

ALONE = """
from app.telemetry import uncaught

def fail():
    raise ValueError("in a thread")

class Finalized:
    def __del__(self):
        raise ValueError("in a finalizer")

async def fail_later():
    raise ValueError("in a task")

async def fire_and_forget():
    uncaught.watch(asyncio.get_running_loop())
    with tracer.start_as_current_span("s"):
        say("task")
        task = asyncio.create_task(fail_later())
    await asyncio.wait([task])
    with tracer.start_as_current_span("another request"):
        del task
        gc.collect()

with tracer.start_as_current_span("s"):
    say("thread")
    for target in (fail, sys.exit):
        thread = threading.Thread(target=target, name="worker")
        thread.start()
        thread.join()
with tracer.start_as_current_span("s"):
    say("finalizer")
    Finalized()
with tracer.start_as_current_span("s"):
    say("warning")
    warnings.warn("old \\n ways", DeprecationWarning, stacklevel=1)
asyncio.run(fire_and_forget())
print("by print")
raise RuntimeError("the end")
"""

SERVING = """
import http.client, socket, json
import uvicorn
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from app import problems

app = FastAPI(lifespan=telemetry.lifespan, telemetry=telemetry.NO_NATIVE_SPANS)

@app.get("/boom")
async def boom():
    say("boom")
    log.debug("debug of boom")
    raise RuntimeError("boom")

@app.get("/fine")
async def fine():
    log.debug("debug of fine")
    say("fine")

@app.get("/late")
async def late():
    say("late")
    async def parts():
        yield b"x"
        raise RuntimeError("too late")
    return StreamingResponse(parts())

@app.get("/blocking")
def blocking():
    say("blocking")
    log.warning("from the thread pool")

@app.get("/task")
async def task():
    say("task")
    async def fail():
        raise RuntimeError("nobody asked")
    failing = asyncio.create_task(fail())
    await asyncio.wait([failing])

forgotten = []

@app.get("/forget")
async def forget():
    say("forget")
    async def fail():
        raise RuntimeError("forgotten")
    forgotten.append(asyncio.create_task(fail()))
    await asyncio.wait(forgotten)

@app.get("/collect")
async def collect():
    forgotten.clear()
    gc.collect()

@app.websocket("/socket")
async def socket_route(websocket: WebSocket):
    await websocket.accept()
    await websocket.close()

@app.post("/items/{number}")
async def item(number: int, size: int):
    pass

problems.install(app)
telemetry.instrument(app)
config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False, lifespan="on")
server = uvicorn.Server(config)
SECRETS = {"Authorization": "Bearer s3cr3t-one", "Cookie": "session=s3cr3t-two", "X-Api-Key": "s3cr3t-three",
           "Proxy-Authorization": "Basic s3cr3t-four"}

def ask(port, method, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path + "?token=s3cr3t-five", headers={**SECRETS, **headers})
        connection.getresponse().read()
    except http.client.HTTPException:
        pass
    finally:
        connection.close()

def raw(port, data):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1000):
            pass

def drive(port):
    try:
        for path in ("/boom", "/fine", "/late", "/blocking", "/task", "/forget", "/collect", "/nowhere"):
            ask(port, "GET", path)
        ask(port, "POST", "/items/s3cr3t-six")
        secrets = "".join(f"{name}: {value}\\r\\n" for name, value in SECRETS.items())
        raw(port, f"GET /?token=s3cr3t-five HTTP/1.1\\r\\n{secrets}no colon\\r\\n\\r\\n".encode())
        raw(port, f"POST / HTTP/1.1\\r\\nHost: a\\r\\n{secrets}Content-Length: s3cr3t-seven\\r\\n\\r\\n".encode())
        raw(port, b"GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: upgrade\\r\\nUpgrade: websocket\\r\\nCookie: s3cr3t-two\\r\\n\\r\\n")
        raw(port, b"GET /socket?user=s3cr3t-five HTTP/1.1\\r\\nHost: a\\r\\nConnection: upgrade\\r\\nUpgrade: websocket\\r\\n"
                  b"Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nCookie: s3cr3t-two\\r\\n\\r\\n")
        raw(port, b"\\x16\\x03\\x01 s3cr3t-eight")
    finally:
        server.should_exit = True

async def serve():
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    await asyncio.to_thread(drive, port)
    await running

with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
    runner.run(serve())
"""


@cache
def run(program: str, **env: str) -> tuple[list[dict[str, Any]], str, int]:
    """The program's log lines (other lines fail the test), what it said on stderr, and its exit status."""
    base = {
        "K_SERVICE": "gateway-dev",
        "K_REVISION": "gateway-dev-7",
        "OTEL_SERVICE_NAME": "gateway",
        "GOOGLE_CLOUD_PROJECT": "p",
        "GOOGLE_CLOUD_REGION": "r",
        "GCE_METADATA_HOST": "127.0.0.1:1",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_TRACES_SAMPLER_ARG": "0",
        "PATH": os.environ["PATH"],
    }
    ended = subprocess.run(
        [sys.executable, "-W", "always::DeprecationWarning:__main__", "-c", SETUP + program],
        cwd=ROOT,
        env={**base, **env},
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = [json.loads(line) for line in ended.stdout.splitlines() if line != "by print"]
    return lines, ended.stderr, ended.returncode


def the_line(lines: list[dict[str, Any]], text: str) -> dict[str, Any]:
    found = [line for line in lines if text in line["message"]]
    assert len(found) == 1, (text, [line["message"] for line in lines])
    return found[0]


@pytest.mark.parametrize(
    ("text", "severity", "logger", "begun"),
    [
        ("ValueError: in a thread", "ERROR", "app.telemetry.uncaught", "thread"),
        ("ValueError: in a finalizer", "ERROR", "app.telemetry.uncaught", "finalizer"),
        ("ValueError: in a task", "ERROR", "asyncio", "task"),
        ("DeprecationWarning: old", "WARNING", "py.warnings", "warning"),
        ("RuntimeError: the end", "CRITICAL", "app.telemetry.uncaught", ""),
    ],
)
def test_what_nobody_caught_is_one_line_in_its_trace(
    text: str, severity: str, logger: str, begun: str
) -> None:
    """Threads, finalizers, forgotten tasks (told when another request is running), warnings, and the end itself."""
    lines, errors, status = run(ALONE)
    assert (errors, status) == ("", 1)
    line = the_line(lines, text)
    assert (line["severity"], line["logger"]) == (severity, logger)
    if severity != "WARNING":
        assert TRACEBACK in line["message"]
        assert line["serviceContext"] == {"service": "gateway", "version": "gateway-dev-7"}
    here = next((line["here"] for line in lines if line["message"] == begun), None)
    assert line.get(TRACE) == here


def test_a_thread_that_exits_is_no_error() -> None:
    lines, _, _ = run(ALONE)
    assert not [line for line in lines if "SystemExit" in line["message"]]


@pytest.mark.parametrize(
    ("text", "severity", "begun"),
    [
        ("RuntimeError: boom", "ERROR", "boom"),
        pytest.param("Exception in ASGI application", "ERROR", "late"),
        ("RuntimeError: nobody asked", "ERROR", "task"),
        pytest.param("RuntimeError: forgotten", "ERROR", "forget"),
        ("from the thread pool", "WARNING", "blocking"),
    ],
)
def test_each_error_of_a_request_is_in_its_trace_though_that_is_not_sampled(
    text: str, severity: str, begun: str
) -> None:
    lines, errors, status = run(SERVING)
    assert (errors, status) == ("", 0)
    line = the_line(lines, text)
    assert line["severity"] == severity
    assert severity != "ERROR" or TRACEBACK in line["message"]
    assert line[TRACE] == the_line([line for line in lines if "here" in line], begun)["here"]
    assert line["logging.googleapis.com/trace_sampled"] is False


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_no_line_has_a_header_a_cookie_or_a_query_value(level: str) -> None:
    """Not of requests that are refused, that fail, or that are no HTTP; not by a library's DEBUG either."""
    lines, errors, _ = run(SERVING, LOG_LEVEL=level)
    assert the_line(lines, "RuntimeError: boom")
    assert "WebSocket /socket?user=REDACTED" in the_line(lines, "[accepted]")["message"]
    assert [line for line in lines if "Invalid HTTP request received" in line["message"]]
    assert "s3cr3t" not in json.dumps(lines) + errors
    assert bool([line for line in lines if line["message"] == "debug of fine"]) is (level == "DEBUG")


def test_the_template_itself_logs_no_header_and_no_query_value() -> None:
    """`python -m app`, with a call that fails, requests it refuses, and one that is no HTTP."""
    env = {
        "GOOGLE_CLOUD_PROJECT": "p",
        "GCE_METADATA_HOST": "127.0.0.1:1",
        "GCE_METADATA_IP": "127.0.0.1:1",
        "PIPELINE_STEP": "receive",
        "SERVICE_URLS": '{"extract": "http://127.0.0.1:1"}',
        "LOG_LEVEL": "DEBUG",
    }
    headers = {
        "Authorization": "Bearer s3cr3t-one",
        "Cookie": "session=s3cr3t-two",
        "x-document-name": "a",
        "traceparent": "00-s3cr3t-three",
        "x-request-timeout-ms": "s3cr3t-four",
    }
    with service(env) as process:
        for method, path in (("POST", "/documents"), ("GET", "/nowhere"), ("DELETE", "/documents")):
            assert ask(process.url, method, f"{path}?token=s3cr3t-five", b"x", headers).status >= 400
        with socket.create_connection(("127.0.0.1", int(process.url.rpartition(":")[2]))) as connection:
            connection.sendall(b"GET /?token=s3cr3t-five HTTP/1.1\r\nCookie: s3cr3t-two\r\nno colon\r\n\r\n")
            assert b" 400 " in connection.recv(1000)
        process.wait_for_log(message="Invalid HTTP request received.")
        process.stop()
        assert [line for line in process.logs if line.get("status", 0) >= 500]
        assert "s3cr3t" not in "".join(process.lines + process.errors)


def test_debug_lines_are_written_for_the_request_that_failed_and_no_other() -> None:
    lines, _, _ = run(SERVING, LOG_DEBUG_ON_ERROR="true")
    debug = the_line(lines, "debug of boom")
    error = the_line(lines, "RuntimeError: boom")
    assert debug["severity"] == "DEBUG"
    assert debug[TRACE] == error[TRACE]
    assert lines.index(debug) < lines.index(error)
    assert not [line for line in lines if line["message"] == "debug of fine"]
    foreign = {line["logger"] for line in lines if line["severity"] == "DEBUG"}
    assert all(name.startswith("app") for name in foreign), "libraries stay quiet"


def test_without_a_reader_of_its_lines_the_service_goes_on() -> None:
    """As when the platform's log agent has gone."""
    broken = "import os; ends = os.pipe(); os.dup2(ends[1], 1); os.close(ends[0])"
    lines, errors, status = run(
        f"{broken}\nsay('gone')\nlog.error('gone')\nsys.stderr.write('here\\n')\nos._exit(0)"
    )
    lost, rest = errors.splitlines()
    assert "BrokenPipeError" in json.loads(lost)["message"]
    assert (rest, status) == ("here", 0)
    assert "gone" not in json.dumps(lines)
