"""The list of traces: what a row says, which rows a filter leaves, pages, and what is read again."""

from pathlib import Path
from typing import Any

import pytest
from console_server import Console, serving
from handmade import PROJECT, TRACE_ID, call, healthy, platform, server, span, story, trace, v1
from stored_traces import fill, request, stored

from localcloud.console import stored as readers
from localcloud.console import summary
from localcloud.console.listing import PAGE
from localcloud.logs.store import LogStore
from localcloud.trace.shape import span_json
from localcloud.trace.store import TraceStore
from traces.span import Span, span_from_json

MISSING = call(1, 0, "a", 0, 1, 404, otel__status_code="ERROR", error__type="404")


def rows(found: Any) -> list[int]:
    return [int(row["trace_id"], 16) for row in found["traces"]]


def filled(console: Console) -> None:
    """Five traces: quick, slow, 504 kept for its deadline, 404 of another service, and a mended failure."""
    fill(
        console.spans,
        [
            request(1, **{"url.path": "/items/one"}),
            request(2, ms=1500),
            request(3, status=504, ms=1000, **{"sampling.keep_reason": "deadline"}),
            request(4, status=404, service="other"),
            *stored(
                trace(server(1, 0, "gateway", 0, 50), call(2, 1, "gateway", 1, 9, 503, error__type="503")),
                f"{5:032x}",
                request(5).start_ns,
            ),
        ],
    )


async def test_a_row_tells_what_the_client_saw(tmp_path: Path) -> None:
    """The incident: named by the application, timed and judged as the client's wait, not by who went on."""
    async with serving(tmp_path) as console:
        fill(console.spans, stored(story()))
        found = await console.json("/blueprint/traces")
        (row,) = found["traces"]
        assert row == {
            "trace_id": TRACE_ID,
            "start_ms": 1_800_000_000_000.0,
            "duration_ms": 1000.0,
            "service": "gateway",
            "name": "POST /documents",
            "status": "504",
            "tone": "bad",
            "services": ["gateway", "extract", "archive"],
            "kept": [],
            "errors": 2,
            "spans": 7,
        }
        assert (found["in_store"], found["matching"], found["next"]) == (1, 1, None)


def test_the_platforms_entry_is_named_by_the_application() -> None:
    """Cloud Run's own span gives the times; the service behind it gives the name."""
    spans = stored(trace(platform(1, 0, "gateway", 0, 30), server(2, 1, "gateway", 2, 28)))
    told = summary.summarise(spans)
    assert (told.told.service, told.told.name, told.duration_ns, told.told.status) == (
        "gateway",
        "POST /documents",
        30 * 10**6,
        "200",
    )


def test_a_lost_entry_still_has_a_row() -> None:
    """The first span that has lost its parent stands for the entry; the start of an instance never does."""
    lost = trace(
        span(1, 9, "a", "instance.start", "INTERNAL", 0, 5),
        server(2, 9, "a", 10, 20),
        call(3, 2, "a", 11, 12),
    )
    told = summary.summarise(stored(lost))
    assert (told.told.name, told.duration_ns) == ("POST /documents", 10 * 10**6)


@pytest.mark.parametrize("each", [*story().spans, *healthy().spans, platform(1, 0, "a", 0, 1, 503), MISSING])
def test_a_span_is_read_as_from_cloud_trace(each: Span) -> None:
    """The console takes a shorter way to what `explain` reads through Cloud Trace's JSON."""
    (span,) = stored(trace(each))
    assert readers.span_of(span) == span_from_json(span_json(span)) == span_from_json(v1(each))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [5, 4, 3, 2, 1]),
        ("service=other", [4]),
        ("service=other&service=gateway", [5, 4, 3, 2, 1]),
        ("service=nobody", []),
        ("status=ok", [2, 1]),
        ("status=error", [5, 3]),
        ("status=5xx", [3]),
        ("status=4xx", [4]),
        ("status=504", [3]),
        ("status=503", []),
        ("min_ms=1000", [3, 2]),
        ("kept=deadline", [3]),
        ("text=ITEMS/one", [1]),
        (f"text={4:032x}", [4]),
        ("text=http.response.status_code=404", [4]),
        ("status=504&min_ms=2000", []),
    ],
)
async def test_a_filter_leaves_what_it_names(tmp_path: Path, query: str, expected: list[int]) -> None:
    """Newest first; several conditions all hold."""
    async with serving(tmp_path) as console:
        filled(console)
        found = await console.json(f"/blueprint/traces?{query}")
        assert rows(found) == expected
        assert found["matching"] == len(expected)
        assert (found["in_store"], found["services"], found["kept"]) == (
            5,
            ["gateway", "other"],
            ["deadline", "head"],
        )


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (
            "status=broken",
            "status has value 'broken'; it is ok, error, a class such as 5xx, or a code such as 504.",
        ),
        (
            "status=6xx",
            "status has value '6xx'; it is ok, error, a class such as 5xx, or a code such as 504.",
        ),
        ("min_ms=long", "min_ms has value 'long'; it is a number of milliseconds."),
    ],
)
async def test_a_filter_that_means_nothing_is_refused(tmp_path: Path, query: str, sentence: str) -> None:
    """The sentence names key, value and what is allowed."""
    async with serving(tmp_path) as console:
        assert await console.error(f"/blueprint/traces?{query}") == (400, sentence)


async def test_a_missing_object_makes_no_error_of_a_request(tmp_path: Path) -> None:
    """Storage answers 404 to a service that asks whether it has to write at all; OpenTelemetry calls that an error."""
    async with serving(tmp_path) as console:
        asked = call(2, 1, "a", 1, 5, 404, otel__status_code="ERROR")
        fill(console.spans, stored(trace(server(1, 0, "a", 0, 9), asked)))
        (row,) = (await console.json("/blueprint/traces?status=ok"))["traces"]
        assert row["errors"] == 0
        assert (await console.json("/blueprint/traces?status=error"))["matching"] == 0


async def test_pages_go_on_where_the_last_one_ended(tmp_path: Path) -> None:
    """Every trace comes once, although new ones arrive in between."""
    async with serving(tmp_path) as console:
        fill(console.spans, (request(number) for number in range(1, 2 * PAGE + 2)))
        seen, token = [], ""
        while token is not None:
            found = await console.json(f"/blueprint/traces?page={token}")
            seen += rows(found)
            token = found["next"]
            console.spans.add(request(10_000 + len(seen)))
        assert seen == list(range(2 * PAGE + 1, 0, -1))


async def test_nothing_new_is_not_sent_again(tmp_path: Path) -> None:
    """304 until a span arrives; the tag of another run matches nothing, though versions begin anew with each."""
    async with serving(tmp_path / "a") as console, serving(tmp_path / "b") as other:
        for each in (console, other):
            each.spans.add(request(1))
        tag = (await console.get("/blueprint/traces")).headers["ETag"]
        assert (await console.get("/blueprint/traces", **{"If-None-Match": tag})).status == 304
        assert (await other.get("/blueprint/traces", **{"If-None-Match": tag})).status == 200
        console.spans.add(request(2))
        assert (await console.get("/blueprint/traces", **{"If-None-Match": tag})).status == 200


def test_only_changed_traces_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand traces cost what has changed in them, and what the store dropped is forgotten."""
    read: list[str] = []
    whole = summary.summarise
    monkeypatch.setattr(
        summary, "summarise", lambda spans, entries: read.append(spans[0].trace_id) or whole(spans, entries)
    )
    store, logs = TraceStore(limit=4), LogStore(PROJECT)
    summaries = summary.Summaries(store, logs)
    fill(store, [request(1), request(2), request(3)])
    assert len(summaries.newest()) == 3
    read.clear()
    store.add(request(4))
    assert [each.trace_id for each in summaries.newest()] == [f"{number:032x}" for number in (4, 3, 2, 1)]
    assert read == [f"{4:032x}"]
    logs.write({"trace": f"projects/{PROJECT}/traces/{2:032x}"})
    logs.write({"trace": f"projects/other/traces/{3:032x}"})
    summaries.newest()
    assert read == [f"{4:032x}", f"{2:032x}"]
    store.add(request(5))
    assert [each.trace_id for each in summaries.newest()] == [f"{number:032x}" for number in (5, 4, 3, 2)]
