"""Logging v2 entries:list and the store under it, over HTTP."""

import asyncio
import threading
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from localcloud.logs import reads
from localcloud.logs.reads import log_routes
from localcloud.logs.store import LogEntry, LogStore


def write(store: LogStore, second: int, text: str = "x") -> None:
    store.write({"timestamp": f"2026-01-01T00:00:{second:02d}Z", "textPayload": text})


async def read(store: LogStore, **body: Any) -> tuple[int, dict[str, Any]]:
    app = web.Application()
    app.add_routes(log_routes(store, "p"))
    async with TestClient(TestServer(app)) as client:
        response = await client.post("/v2/entries:list", json={"resourceNames": ["projects/p"]} | body)
        return response.status, await response.json()


async def test_filters_and_orders() -> None:
    """The filter is the query language; timestamp desc turns the order round."""
    store = LogStore("p")
    for second, text in ((3, "late"), (1, "late"), (2, "early")):
        write(store, second, text)
    _, oldest = await read(store, filter="textPayload=late")
    _, newest = await read(store, filter="textPayload=late", orderBy="timestamp desc")
    times = [entry["timestamp"] for entry in oldest["entries"]]
    assert times == ["2026-01-01T00:00:01Z", "2026-01-01T00:00:03Z"]
    assert [entry["timestamp"] for entry in newest["entries"]] == times[::-1]


async def test_pages_stay_whole_while_entries_arrive() -> None:
    """An entry that sorts before the page already given shifts nothing: none twice, none lost."""
    store = LogStore("p")
    for second in (10, 10, 20, 20, 30):
        write(store, second)
    ids = [entry["insertId"] for entry in store.entries()]
    _, first = await read(store, pageSize=3)
    write(store, 5)
    _, rest = await read(store, pageSize=3, pageToken=first["nextPageToken"])
    assert [entry["insertId"] for entry in first["entries"] + rest["entries"]] == ids
    assert "nextPageToken" not in rest


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"filter": "severity=LOUD"}, 400, "LOUD"),
        ({"filter": 'SEARCH("x")'}, 400, "SEARCH()"),
        ({"orderBy": "severity"}, 400, "timestamp desc"),
        ({"pageToken": "!"}, 400, "page token"),
        ({"pageSize": -1}, 400, "negative"),
        ({"resourceNames": ["projects/other"]}, 403, "projects/p"),
        ({"resourceNames": None}, 400, "resourceNames"),
    ],
)
async def test_refuses_in_googles_shape(body: dict[str, Any], status: int, words: str) -> None:
    """A wrong request is an error with code, status and the reason, never an empty list."""
    code, answer = await read(LogStore("p"), **body)
    assert (code, answer["error"]["code"]) == (status, status)
    assert words in answer["error"]["message"]
    assert answer["error"]["status"] in ("INVALID_ARGUMENT", "PERMISSION_DENIED")


async def test_a_query_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The requests of the services pass through the same event loop, and a query of 50,000 entries takes its time."""
    begun, others_had_their_turn = threading.Event(), threading.Event()

    def matches(entry: LogEntry) -> bool:
        begun.set()
        return others_had_their_turn.wait(timeout=20)

    monkeypatch.setattr(reads, "compile_query", lambda text: matches)
    store = LogStore("p")
    write(store, 1)
    asked = asyncio.create_task(read(store))
    assert await asyncio.to_thread(begun.wait, 20)
    others_had_their_turn.set()
    status, answer = await asked
    assert (status, len(answer["entries"])) == (200, 1)


async def test_a_query_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a sentence that says how far it came."""
    monkeypatch.setattr(reads, "LIMIT_S", -1)
    store = LogStore("p")
    write(store, 1)
    status, answer = await read(store)
    assert (status, answer["error"]["status"]) == (504, "DEADLINE_EXCEEDED")
    assert "looked at 0 of 1 entries" in answer["error"]["message"]


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "^(([a-z])+.)+[A-Z]([a-z])+$"])
async def test_no_pattern_takes_longer_than_its_text(pattern: str) -> None:
    """RE2 does not try every way through a text: what would take Python's `re` years is read at once."""
    store = LogStore("p")
    write(store, 1, "a" * 5000 + "!")
    status, answer = await read(store, filter=f'textPayload=~"{pattern}"')
    assert (status, answer["entries"]) == (200, [])


def test_the_store_knows_the_entries_of_a_trace() -> None:
    """Of its own project; what the store has dropped is gone here too, and a trace without entries is forgotten."""
    store = LogStore("p", limit=3)
    for name, text in (("p", "1"), ("q", "2"), ("p", "3")):
        store.write({"trace": f"projects/{name}/traces/t", "textPayload": text})
    assert [entry["textPayload"] for entry in store.of_trace("t")] == ["1", "3"]
    assert (store.revision("t"), store.revisions(), store.version) == (2, {"t": 2}, 2)
    write(store, 1)
    assert [entry["textPayload"] for entry in store.of_trace("t")] == ["3"]
    write(store, 2)
    write(store, 3)
    assert (store.of_trace("t"), store.revisions(), store.revision("t")) == ((), {}, 0)


def test_the_store_is_bounded_and_completes_entries() -> None:
    """The oldest entry goes first; ids, times and severity are filled in when missing."""
    store = LogStore("p", limit=2)
    for text in "abc":
        store.write({"textPayload": text})
    assert [entry["textPayload"] for entry in store.entries()] == ["b", "c"]
    assert {"insertId", "timestamp", "receiveTimestamp", "severity"} <= set(store.entries()[0])


def test_a_failing_subscriber_stops_neither_the_writer_nor_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Writing a log line never fails because of who listens; the failure is reported."""
    seen: list[LogEntry] = []

    def fail(entry: LogEntry) -> None:
        raise RuntimeError("boom")

    store = LogStore("p")
    store.subscribe(fail)
    store.subscribe(seen.append)
    store.write({"textPayload": "x"})
    assert [entry["textPayload"] for entry in seen] == ["x"]
    assert "boom" in caplog.text
