"""Cloud Trace v1 as it is read back: the shape of a span, views, filters, orders and pages."""

from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from localcloud.trace.reads import trace_routes
from localcloud.trace.store import Span, TraceStore

SECOND = 10**9
ROOT = Span("a" * 32, "000000000000000f", "", "POST /documents", "SERVER", SECOND, 2 * SECOND + 1)


def span(trace: str, name: str, start: float, seconds: float, parent: str = "", **attributes: Any) -> Span:
    start_ns, end_ns = int(start * SECOND), int((start + seconds) * SECOND)
    identifier = f"{len(name):016x}"
    return Span(trace * 32, identifier, parent, name, "SERVER", start_ns, end_ns, attributes=attributes)


def example() -> TraceStore:
    """Three traces: a (1 s, fast), b (2 s, slow, with a client span), c (an orphan only)."""
    store = TraceStore()
    store.add(span("a", "GET /fast", 10, 0.5))
    store.add(span("b", "POST /slow", 20, 2, step="receive"))
    store.add(span("b", "call extract", 20.5, 1, parent="1" * 16))
    store.add(span("c", "orphan", 15, 3, parent="2" * 16))
    return store


async def get(store: TraceStore, path: str) -> tuple[int, dict[str, Any]]:
    app = web.Application()
    app.add_routes(trace_routes(store, "p"))
    async with TestClient(TestServer(app)) as client:
        response = await client.get(f"/v1/projects/{path}")
        return response.status, await response.json()


async def test_a_span_in_the_shape_of_v1() -> None:
    """Decimal ids, RPC kinds, RFC 3339 times to the nanosecond, and labels that hold all the rest as text."""
    store = TraceStore()
    event = {
        "name": "exception",
        "time_ns": 0,
        "attributes": {"exception.type": "ValueError", "exception.message": "bad"},
    }
    store.add(
        replace(
            ROOT,
            parent_id="00000000000000ff",
            resource={"service.name": "gateway", "cloud.region": "europe-west1", "shared": "resource"},
            attributes={"http.response.status_code": 504, "retry": False, "tags": ["x", 1], "shared": "span"},
            status="ERROR",
            status_message="late",
            events=[event],
        )
    )
    assert await get(store, f"p/traces/{'a' * 32}") == (
        200,
        {
            "projectId": "p",
            "traceId": "a" * 32,
            "spans": [
                {
                    "spanId": "15",
                    "parentSpanId": "255",
                    "kind": "RPC_SERVER",
                    "name": "POST /documents",
                    "startTime": "1970-01-01T00:00:01Z",
                    "endTime": "1970-01-01T00:00:02.000000001Z",
                    "labels": {
                        "service.name": "gateway",
                        "cloud.region": "europe-west1",
                        "shared": "span",
                        "http.response.status_code": "504",
                        "retry": "false",
                        "tags": '["x", 1]',
                        "otel.status_code": "ERROR",
                        "otel.status_description": "late",
                        "exception.type": "ValueError",
                        "exception.message": "bad",
                    },
                }
            ],
        },
    )


async def test_a_root_has_no_parent_and_internal_spans_no_kind() -> None:
    """v1 leaves parentSpanId out for a root, and has no name for INTERNAL, PRODUCER or CONSUMER."""
    store = TraceStore()
    store.add(replace(ROOT, kind="INTERNAL"))
    shape = (await get(store, f"p/traces/{'a' * 32}"))[1]["spans"][0]
    assert "parentSpanId" not in shape
    assert shape["kind"] == "SPAN_KIND_UNSPECIFIED"


@pytest.mark.parametrize("path", [f"p/traces/{'f' * 32}", f"other/traces/{'a' * 32}", "other/traces"])
async def test_an_unknown_trace_or_project_is_404(path: str) -> None:
    """What is not there is NOT_FOUND in Google's shape."""
    code, body = await get(example(), path)
    assert (code, body["error"]["status"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", "bca"),
        ("orderBy=start", "acb"),
        ("orderBy=trace_id desc", "cba"),
        ("orderBy=name", "abc"),
        ("orderBy=duration", "abc"),
        ("startTime=1970-01-01T00:00:15Z", "bc"),
        ("endTime=1970-01-01T00:00:15Z", "ca"),
        ("filter=root:POST", "b"),
        ("filter=POST", "b"),
        ("filter=%2Broot:POST", ""),
        ("filter=%2Broot:'POST /slow'", "b"),
        ("filter=root:orphan", ""),
        ("filter=span:call", "b"),
        ("filter=latency:2s", "bc"),
        ("filter=latency:2500", "c"),
        ("filter=label:step", "b"),
        ("filter=step:rec", "b"),
        ("filter=%2Bstep:rec", ""),
        ("filter=%2Bstep:receive span:call latency:1s", "b"),
    ],
)
async def test_lists_by_time_filter_and_order(query: str, ids: str) -> None:
    """Newest first unless asked otherwise; every documented kind of filter term selects as documented."""
    code, body = await get(example(), f"p/traces?{query}")
    assert code == 200
    assert "".join(trace["traceId"][0] for trace in body["traces"]) == ids


@pytest.mark.parametrize(("view", "spans"), [("MINIMAL", 0), ("ROOTSPAN", 1), ("COMPLETE", 2)])
async def test_views_show_no_root_or_all_spans(view: str, spans: int) -> None:
    """MINIMAL has ids only, ROOTSPAN the spans without parent, COMPLETE all."""
    _, body = await get(example(), f"p/traces?view={view}")
    assert len(body["traces"][0].get("spans", [])) == spans


async def test_pages_continue_while_traces_arrive() -> None:
    """A newer trace between two pages neither repeats nor hides an older one."""
    store = example()
    _, first = await get(store, "p/traces?pageSize=2")
    store.add(span("d", "newer", 99, 1))
    _, second = await get(store, f"p/traces?pageSize=2&pageToken={first['nextPageToken']}")
    assert [trace["traceId"][0] for trace in first["traces"] + second["traces"]] == list("bca")
    assert "nextPageToken" not in second


@pytest.mark.parametrize(
    "query",
    [
        "filter=-span:x",
        "filter=latency:soon",
        "filter=span:",
        "filter='",
        "orderBy=color",
        "view=FULL",
        "pageToken=x",
        "startTime=noon",
    ],
)
async def test_an_unsupported_read_is_refused(query: str) -> None:
    """What is not understood is 400 with the reason, never an answer that ignores it."""
    code, body = await get(example(), f"p/traces?{query}")
    assert (code, body["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_the_store_is_bounded_by_whole_traces_and_a_span_sent_twice_counts_once() -> None:
    """Old traces go as a whole, so that none is ever shown with a hole; the last version of a span wins."""
    store = TraceStore(limit=3)
    store.add(ROOT)
    store.add(replace(ROOT, name="again"))
    store.add(span("b", "x", 5, 1))
    store.add(span("b", "xy", 4, 1))
    assert [found.name for found in store.trace("a" * 32)] == ["again"]
    store.add(span("c", "x", 6, 1))
    assert not store.trace("a" * 32)
    assert [[found.name for found in spans] for spans in store.recent()] == [["x"], ["xy", "x"]]
    assert len(store.recent(1)) == 1
