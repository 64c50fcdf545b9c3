"""Beyond the ratio: which parts of a trace are kept, for which reason, and that they make a whole in all services."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from chain import (
    CHAIN,
    FRONT,
    LAST,
    MIDDLE,
    REASON,
    ROOT,
    Running,
    faulty_chain,
    orphans,
    reasons,
    running,
    servers,
    trace_id,
    w3c,
)

from ops import stackfile
from ops.story import FAR

pytestmark = pytest.mark.xdist_group("cloud")

RATIO = 0.1


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A chain of which the ratio keeps no trace."""
    with running(faulty_chain(0.0), tmp_path_factory.mktemp("nothing")) as chain:
        yield chain


@pytest.fixture(scope="module")
def tenth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A chain of which the ratio keeps every tenth trace."""
    with running(faulty_chain(RATIO), tmp_path_factory.mktemp("tenth")) as chain:
        yield chain


def headers(trace: str, **more: str) -> dict[str, str]:
    return {"traceparent": w3c(trace), **more}


def told(response_header: str | None, trace: str) -> bool:
    """Whether a `traceresponse` says that this trace's part is kept."""
    return bool(
        response_header and response_header.startswith(f"00-{trace}-") and response_header[-1] in "13"
    )


ALL_FAILED = dict.fromkeys(CHAIN, "error")
CASES = {
    "last=500": (502, ALL_FAILED),
    "last=502": (502, ALL_FAILED),
    "middle=500": (502, {FRONT: "error", MIDDLE: "error"}),
    "front=500": (500, {FRONT: "error"}),
    "last=503-once": (200, {FRONT: "downstream", MIDDLE: "downstream", LAST: "error"}),
    "middle=503-once": (200, {FRONT: "downstream", MIDDLE: "error"}),
    "last=2100-ms": (200, dict.fromkeys(CHAIN, "slow")),
    "front=2100-ms": (200, {FRONT: "slow"}),
}


@pytest.mark.parametrize("query", CASES)
def test_a_reason_keeps_every_part_up_to_the_entry(nothing: Running, query: str) -> None:
    """From the service where it arose to the entry each part is kept with its own reason; nothing is an orphan.

    A second attempt that succeeds is a part of its own, of which nothing is known to be wrong: it is not kept.
    """
    status, expected = CASES[query]
    trace = trace_id(list(CASES).index(query))
    answer = nothing.ask(query, headers(trace))
    assert answer.status_code == status, answer.text
    assert told(answer.headers.get("traceresponse"), trace)
    found = nothing.arrived(trace, expected)
    assert reasons(found) == expected
    assert orphans(found) == []
    assert {span.service for span in found.spans if not span.is_platform} == set(expected)


def test_a_service_learns_of_a_kept_part_by_traceresponse(nothing: Running) -> None:
    """What the middle mended, the last says in its refusal, and the middle in its success: each to its caller only."""
    trace = trace_id(100)
    by_middle = nothing.ask("last=503-once", headers(trace)).json()["next"]
    assert told(by_middle["traceresponse"], trace)
    assert by_middle["next"]["traceresponse"] is None  # of the second attempt, which is not kept
    attempts = [span for span in nothing.arrived(trace, CHAIN).spans if span.name == "GET last"]
    assert sorted(span.http_status or 0 for span in attempts) == [200, 503]


def test_nothing_is_kept_of_plain_successes(nothing: Running) -> None:
    """Ten requests through three services leave no span. The failure behind them, sent later, says that they had time."""
    plain = [trace_id(number) for number in range(200, 210)]
    for trace in plain:
        answer = nothing.ask("", headers(trace))
        assert (answer.status_code, answer.headers.get("traceresponse")) == (200, None)
    last = trace_id(210)
    nothing.ask("last=500", headers(last))
    nothing.arrived(last, CHAIN)
    assert not nothing.trace_ids() & set(plain)


def test_a_strangers_parent_is_nobodys(nothing: Running) -> None:
    """The public service believes no `x-original-traceparent`, and never passes it on, only its own."""
    trace, strange = trace_id(300), "5" * 16
    hostile = headers(trace, **{"x-original-traceparent": w3c(trace, span=strange)})
    answer = nothing.ask("", hostile)
    assert (answer.status_code, answer.headers.get("traceresponse")) == (200, None)
    seen = answer.json()
    assert seen["headers"]["x-original-traceparent"] == hostile["x-original-traceparent"]
    assert strange not in str(seen["next"])
    last = trace_id(301)
    nothing.ask("last=500", headers(last, **{"x-original-traceparent": w3c(last, span=strange)}))
    assert strange not in {span.parent_id for span in nothing.arrived(last, CHAIN).spans}
    assert trace not in nothing.trace_ids()


def test_a_strangers_deadline_is_not_ours(nothing: Running) -> None:
    """Nor does the public service believe `x-request-timeout-ms`: nobody fills the traces with 504s by a header."""
    trace = trace_id(302)
    answer = nothing.ask("", headers(trace, **{"x-request-timeout-ms": "1"}))
    assert (answer.status_code, answer.headers.get("traceresponse")) == (200, None)


def test_a_client_that_hangs_up(nothing: Running) -> None:
    """Asked at the container's own door: Cloud Run keeps its connection to the container when a client leaves it.

    https://docs.cloud.google.com/run/docs/configuring/request-timeout ("might continue processing the aborted request")
    """
    trace, middle = trace_id(400), nothing.ask().json()["next"]["address"]
    connection = http.client.HTTPConnection(middle, timeout=60)
    connection.request("GET", "/work?middle=hang", headers=headers(trace))
    connection.close()
    assert reasons(nothing.arrived(trace, [MIDDLE])) == {MIDDLE: "disconnect"}


def test_every_failed_trace_is_whole_at_ten_percent(tenth: Running) -> None:
    """Of sixty requests, eight at a time: the failed ones and those within the ratio, in all three services; no other."""
    within = [trace_id(number, within=RATIO) for number in range(6)]
    failing = [trace_id(number) for number in range(5)]
    both = trace_id(7, within=RATIO)
    asked = {trace: "" for trace in (*within, *(trace_id(number) for number in range(10, 58)))}
    asked |= dict.fromkeys((*failing, both), "last=500")
    assert len(asked) == 60
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda trace: tenth.ask(asked[trace], headers(trace)), asked))
    assert sorted({answer.status_code for answer in answers}) == [200, 502]
    for trace in (*within, both):
        assert set(reasons(tenth.arrived(trace, CHAIN)).values()) == {"head"}
    for trace in failing:
        found = tenth.arrived(trace, CHAIN)
        assert reasons(found) == ALL_FAILED
        assert orphans(found) == []
    assert tenth.trace_ids() == {*within, both, *failing}


def test_a_late_success_is_kept_as_its_callers_deadline_passed(tmp_path: Path) -> None:
    """The incident at ratio 0: the archive ends after everybody gave up, with success, and its part is not lost."""
    config = stackfile.changed(stackfile.load(ROOT, "local"), "buckets", "documents", value=FAR)
    config = stackfile.changed(config, "tracing", "sample_ratio", value=0.0)
    with running(config, tmp_path, "gateway") as chain:
        answer = chain.send({})
        assert answer.status_code == 504
        trace = chain.arrived(answer.json()["trace_id"], ("gateway", "extract", "archive"))
    gateway, extract, archive = servers(trace)
    assert archive.labels[REASON] == "deadline"
    # A caller that is told 504 by its callee a moment before its own deadline has not overrun.
    assert {gateway.labels[REASON], extract.labels[REASON]} <= {"deadline", "error"}
    assert (archive.service, archive.http_status, archive.failed) == ("archive", 201, False)
    assert archive.end_ns > gateway.end_ns
    assert orphans(trace) == []
    assert {"storage.store", "document.count_words"} <= {span.name for span in trace.spans}
