"""app/telemetry/coldstart.py: who waited for an instance's start sees it in the trace, and nobody else does."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from app_asgi import application, call, scope
from conftest import Memory, serving_with

from app.telemetry import coldstart, server
from app.telemetry.coldstart import ATTRIBUTE, NAME, WAITED_WITHIN_NS, process_started_ns


async def requests(*answers: float, ready_ago_ns: int | None = 0, cold: bool = True) -> list[Any]:
    """The spans of requests that answer these, shortly after an instance was ready."""
    memory = Memory()
    serving = serving_with(memory, ratio=1, cold=cold)
    if ready_ago_ns is not None:
        serving.coldstart.ready()
        serving.coldstart._ready_ns = time.time_ns() - ready_ago_ns
    app = application()
    server.install(app, serving)

    @app.get("/")
    async def root() -> None:
        """Nothing."""

    for _ in answers:
        await call(app, scope("/healthz"))
        await call(app, scope("/"))
    return list(memory.get_finished_spans())


async def test_the_first_request_is_marked_and_the_second_is_not() -> None:
    spans = [span for span in await requests(1, 2) if span.name == "GET /"]
    assert [(span.attributes or {}).get(ATTRIBUTE) for span in spans] == [True, None]


def noted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """The spans of starts, as name, start and end."""
    found: list[tuple[str, int, int]] = []

    class Span:
        def __init__(self, name: str, start_time: int) -> None:
            self._name, self._start = name, start_time

        def end(self, end_time: int) -> None:
            found.append((self._name, self._start, end_time))

    class Tracer:
        def start_span(self, name: str, start_time: int) -> Span:
            return Span(name, start_time)

    monkeypatch.setattr(coldstart, "tracer", Tracer())
    return found


@pytest.mark.parametrize(
    ("ready_ago_ns", "cold", "shown"),
    [
        pytest.param(0, True, True, id="right after the start"),
        pytest.param(WAITED_WITHIN_NS // 4, True, True, id="within what a probe takes"),
        pytest.param(WAITED_WITHIN_NS * 2, True, False, id="an instance started ahead of it"),
        pytest.param(None, True, True, id="never said to be ready"),
        pytest.param(0, False, False, id="not the first"),
    ],
)
async def test_the_start_is_a_span_of_the_request_that_waited_for_it(
    monkeypatch: pytest.MonkeyPatch, ready_ago_ns: int | None, cold: bool, shown: bool
) -> None:
    starts = noted(monkeypatch)
    await requests(1, 2, ready_ago_ns=ready_ago_ns, cold=cold)
    assert [name for name, _, _ in starts] == [NAME][: int(shown)]
    for _, begun, ended in starts:
        assert begun == pytest.approx(process_started_ns(), abs=1_000_000_000)
        assert begun < ended <= time.time_ns()


def test_the_start_of_the_process_is_what_the_system_says() -> None:
    started = process_started_ns()
    assert started <= coldstart._IMPORTED_NS
    lines = Path("/proc/stat").read_text().splitlines()
    boot = next(int(line.split()[1]) for line in lines if line.startswith("btime"))
    ticks = int(Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19])
    assert started / 1e9 == pytest.approx(boot + ticks / os.sysconf("SC_CLK_TCK"), abs=2)


@pytest.mark.parametrize("readable", [True, False])
def test_a_forked_worker_began_when_it_was_forked(monkeypatch: pytest.MonkeyPatch, readable: bool) -> None:
    """Not when its master, which may be days old, imported this."""
    monkeypatch.setattr(coldstart, "_IMPORTED_NS", time.time_ns() - 86_400_000_000_000)
    if not readable:
        monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    out, into = os.pipe()
    before = time.time_ns()
    child = os.fork()
    if child == 0:  # pragma: no cover  # in the child
        try:
            os.write(into, str(process_started_ns()).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(into)
    with os.fdopen(out) as read:
        started = int(read.read())
    assert started == pytest.approx(before, abs=10_000_000_000)


@pytest.mark.parametrize(
    "content", ["", "1 (a) R", "1 (a b) c) " + "x " * 30, "1 (a) " + "9" * 30 + " " + "9 " * 60]
)
def test_where_the_system_says_nothing_usable_the_import_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, content: str
) -> None:
    import builtins

    (tmp_path / "stat").write_text(content)
    plain = builtins.open
    monkeypatch.setattr(
        builtins, "open", lambda path, *args, **options: plain(tmp_path / "stat", *args, **options)
    )
    assert process_started_ns() == coldstart._IMPORTED_NS
    monkeypatch.undo()
