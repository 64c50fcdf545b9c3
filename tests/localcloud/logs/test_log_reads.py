"""Logging v2 entries:list and the store under it, over HTTP."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

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
