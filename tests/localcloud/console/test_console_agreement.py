"""The list and the page of a trace say the same of it: how long, with which status, and who took part in which order."""

from pathlib import Path
from typing import Any

import pytest
from console_server import serving
from handmade import TRACE_ID, call, healthy, log, platform, request_log, server, span, story, trace
from stored_traces import fill, stored

from traces.analysis import analyse
from traces.outline import outline
from traces.record import record
from traces.span import Trace
from traces.tree import Tree

TIMEOUT = request_log(0, "gateway", 504, "0.5s")
CASES: dict[str, tuple[Trace, list[dict[str, Any]], float, str, list[str]]] = {
    # trace, log entries, milliseconds, status, services
    "the incident": (story(), [], 1000, "504", ["gateway", "extract", "archive"]),
    "nothing wrong": (healthy(), [], 60, "201", ["gateway", "extract", "archive"]),
    "a cold start": (
        trace(server(1, 0, "a", 3000, 3100), span(2, 1, "a", "instance.start", "INTERNAL", 0, 2990)),
        [],
        3100,
        "201",
        ["a"],
    ),
    "Cloud Run's own timeout": (
        trace(server(1, 0, "gateway", 0, 900, 200)),
        [TIMEOUT],
        900,
        "504",
        ["gateway"],
    ),
    "a root that is a call": (
        trace(call(1, 0, "job", 0, 50, None), server(2, 1, "a", 1, 49, 503)),
        [],
        50,
        "503",
        ["job", "a"],
    ),
    "clocks that differ": (
        trace(
            server(1, 0, "z", 100, 200),
            call(2, 1, "z", 110, 190),
            server(3, 2, "b", 20, 90),
            call(4, 1, "z", 192, 198),
            server(5, 4, "a", 10, 14),
        ),
        [],
        100,
        "201",
        ["z", "b", "a"],
    ),
    "the platform's own answer": (
        trace(platform(1, 0, "gateway", 0, 500, 504), server(2, 1, "gateway", 1, 900, 201)),
        [],
        500,
        "504",
        ["gateway"],
    ),
    "a lost root": (
        trace(
            span(1, 9, "a", "instance.start", "INTERNAL", 0, 5),
            server(2, 9, "a", 10, 20),
            call(3, 2, "a", 11, 12),
        ),
        [],
        10,
        "201",
        ["a"],
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_the_list_says_what_the_page_says(tmp_path: Path, case: str) -> None:
    """Also of a start, of clocks that differ, and of a status that only the request log has."""
    made, entries, duration, status, services = CASES[case]
    async with serving(tmp_path) as console:
        fill(console.spans, stored(made))
        for entry in entries:
            console.logs.write(dict(entry))
        (row,) = (await console.json("/blueprint/traces"))["traces"]
        page = await console.json(f"/blueprint/traces/{TRACE_ID}")
    assert (row["duration_ms"], row["status"], row["services"]) == (duration, status, services)
    assert (page["duration_ms"], str(page["status"])) == (duration, status)
    assert [name for name in page["services"] if name != "Cloud Run"] == services


@pytest.mark.parametrize("case", CASES)
def test_an_outline_agrees_with_the_record(case: str) -> None:
    """What `explain --json` prints is the same again."""
    made, entries, *_ = CASES[case]
    told, said = outline(Tree(made.spans), entries), record(analyse(made, entries))
    assert told
    assert (told.wait[1] - told.wait[0]) / 1e6 == said["duration_ms"]
    assert told.status == str(said["status"])


def test_there_is_no_outline_of_nothing() -> None:
    """As there is no verdict."""
    assert outline(Tree([])) is None


async def test_a_request_log_that_comes_late_changes_the_row(tmp_path: Path) -> None:
    """Cloud Run writes it after the answer; a row that was read before is read again, and is another answer."""
    async with serving(tmp_path) as console:
        fill(console.spans, stored(CASES["Cloud Run's own timeout"][0]))
        first = await console.get("/blueprint/traces")
        assert (await first.json())["traces"][0]["status"] == "200"
        console.logs.write(dict(TIMEOUT))
        again = await console.get("/blueprint/traces", **{"If-None-Match": first.headers["ETag"]})
        assert (again.status, (await again.json())["traces"][0]["status"]) == (200, "504")


@pytest.mark.parametrize(
    ("made", "tone"),
    [
        (trace(server(1, 0, "a", 0, 9)), "ok"),
        (trace(server(1, 0, "a", 0, 9, 404)), "warn"),
        (story(), "bad"),
        (trace(server(1, 0, "a", 0, 9), call(2, 1, "a", 1, 5, 503)), "warn"),
        (trace(span(1, 0, "a", "job", "INTERNAL", 0, 9)), ""),
        (trace(span(1, 0, "a", "job", "INTERNAL", 0, 9, error__type="x")), "bad"),
    ],
    ids=["answered", "refused", "failed", "answered all the same", "without a status", "a failed job"],
)
async def test_tones_are_decided_here(tmp_path: Path, made: Trace, tone: str) -> None:
    """The page colours by them: a request that was answered well although a span failed is no failure, but a warning."""
    async with serving(tmp_path) as console:
        fill(console.spans, stored(made))
        console.logs.write(log(1, "WARNING", "x", 1))
        (row,) = (await console.json("/blueprint/traces"))["traces"]
        page = await console.json(f"/blueprint/traces/{TRACE_ID}")
    assert row["tone"] == tone
    assert page["rows"][0]["logs"][0]["tone"] == "warn"
