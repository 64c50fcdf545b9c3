"""The record of a trace: the contract of `explain --json`."""

from typing import Any

import pytest
from handmade import AUSTRALIA, TRACE_ID, call, log, platform, request_log, server, span, story, trace

from traces.analysis import analyse
from traces.record import record
from traces.span import Span


def test_the_story_as_a_record() -> None:
    analysis = analyse(story(), (), {"documents-overseas": AUSTRALIA})
    told = record(analysis)
    assert list(told) == ["trace_id", "duration_ms", "status", "critical_path", "dark_ms", "verdict"]
    assert (told["trace_id"], told["duration_ms"], told["status"], told["dark_ms"]) == (
        TRACE_ID,
        1000.0,
        504,
        4.0,
    )
    assert told["critical_path"][0] == {
        "service": "gateway",
        "span": "POST /documents",
        "self_ms": 10.0,
        "share": 0.01,
    }
    assert told["critical_path"][-1] == {
        "service": "archive",
        "span": "POST",
        "self_ms": 984.5,
        "share": 0.9845,
    }
    assert analysis.verdict
    assert told["verdict"] == {
        "service": "archive",
        "span": "storage.store",
        "share": 0.985,
        "cause": "cross_region_storage",
        "sentence": analysis.verdict.sentence,
    }


def test_a_span_that_worked_before_and_after_its_child_is_in_the_path_once() -> None:
    told = record(analyse(trace(server(1, 0, "a", 0, 90), span(2, 1, "a", "part", "INTERNAL", 30, 60))))
    assert [(part["span"], part["self_ms"], part["share"]) for part in told["critical_path"]] == [
        ("POST /documents", 60.0, 0.666667),
        ("part", 30.0, 0.333333),
    ]


def test_shares_that_do_not_round_well_still_sum_to_one() -> None:
    thirds = [span(2 + i, 1, "a", f"part {i}", "INTERNAL", 10 * i, 10 * i + 10) for i in range(3)]
    told = record(analyse(trace(server(1, 0, "a", 0, 30), *thirds)))
    assert sum(part["share"] for part in told["critical_path"]) == 1


def test_without_spans_there_is_a_record_without_a_verdict() -> None:
    assert record(analyse(trace())) == {
        "trace_id": TRACE_ID,
        "duration_ms": 0.0,
        "status": None,
        "critical_path": [],
        "dark_ms": 0.0,
        "verdict": None,
    }


@pytest.mark.parametrize(
    ("spans", "entries", "status"),
    [
        ([server(1, 0, "a", 0, 10, 201)], [], 201),
        ([server(1, 0, "a", 0, 900, 201)], [request_log(0, "a", 504, "0.5s")], 504),
        ([platform(9, 0, "a", 0, 500, 504), server(1, 9, "a", 1, 900, 201)], [], 504),
        (
            [server(1, 0, "a", 0, 900, 504), call(2, 1, "a", 5, 800), server(3, 2, "b", 6, 790, 201)],
            [request_log(6, "b", 201, "0.1s"), log(3, "INFO", "no request log", 1, "a")],
            504,
        ),
        ([span(1, 0, "a", "job", "INTERNAL", 0, 10)], [], None),
        ([server(1, 0, "a", 0, 10, 201)], [{"httpRequest": {"status": "odd"}}, {"httpRequest": None}], 201),
    ],
    ids=[
        "the server's",
        "the request log's",
        "the platform's",
        "not a callee's",
        "a job has none",
        "odd entries",
    ],
)
def test_the_status_is_what_the_client_got(
    spans: list[Span], entries: list[dict[str, Any]], status: int | None
) -> None:
    """Cloud Run can answer 504 while the service goes on and says 201."""
    assert record(analyse(trace(*spans), entries))["status"] == status
