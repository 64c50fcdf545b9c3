"""The figures of the contract for automation."""

import pytest
from handmade import AUSTRALIA, TRACE_ID, call, healthy, log, platform, server, story, trace

from ops.summary import culprit_record, late_success, summary
from traces.analysis import analyse
from traces.span import Trace


def test_a_healthy_request_in_figures() -> None:
    entries = [log(1, "INFO", "accepted", 1), log(5, "INFO", "done")]
    assert summary(healthy(), entries, status=201, latency_ms=61.25) == {
        "status": 201,
        "latency_ms": 61.2,
        "trace_id": TRACE_ID,
        "services": ["gateway", "extract", "archive"],
        "spans": 7,
        "orphan_spans": 0,
        "log_entries": 2,
    }


def test_the_platforms_spans_count_but_are_no_service() -> None:
    spans = [platform(9, 0, "gateway", 0, 51), server(1, 9, "gateway", 1, 50)]
    found = summary(trace(*spans), [], status=201, latency_ms=52)
    assert (found["services"], found["spans"]) == (["gateway"], 2)


def test_services_come_in_call_order_and_once_whatever_their_clocks_say() -> None:
    """extract's clock is early; both call archive."""
    spans = [
        server(1, 0, "gateway", 0, 100),
        call(2, 1, "gateway", 10, 40),
        server(3, 2, "extract", -300, -280),
        call(4, 3, "extract", -295, -285),
        server(5, 4, "archive", 22, 28),
        call(6, 1, "gateway", 50, 90),
        server(7, 6, "archive", 52, 88),
    ]
    assert summary(trace(*spans), [], status=201, latency_ms=100)["services"] == [
        "gateway",
        "extract",
        "archive",
    ]


def test_lost_parents_are_counted() -> None:
    assert summary(trace(*story().spans[2:]), [], status=504, latency_ms=1)["orphan_spans"] == 1


@pytest.mark.parametrize(
    ("trace", "late"),
    [
        (story(), True),
        (
            trace(server(1, 0, "a", 0, 10, 504), server(3, 1, "b", 2, 20, 200, otel__status_code="ERROR")),
            False,
        ),
        (healthy(), False),
        (trace(), False),
        (
            trace(server(1, 0, "a", 0, 10, 504), call(2, 1, "a", 1, 10, None), server(3, 2, "b", 2, 20, 500)),
            False,
        ),
        (
            trace(server(1, 0, "a", 0, 10, 504), call(2, 1, "a", 1, 10, None), server(3, 2, "b", 2, 20, 404)),
            False,
        ),
        (trace(server(1, 0, "a", 0, 10, 504), call(2, 1, "a", 1, 10, None), server(3, 2, "a", 2, 20)), False),
        (
            trace(
                platform(9, 0, "a", 0, 30),
                server(1, 9, "a", 1, 10, 504),
                call(2, 1, "a", 2, 10),
                server(3, 2, "b", 3, 20),
            ),
            True,
        ),
    ],
    ids=[
        "story",
        "late failure",
        "healthy",
        "empty",
        "late error",
        "late refusal",
        "only the entry itself",
        "behind the platform's span",
    ],
)
def test_late_success_is_another_services_answer_after_the_clients(trace: Trace, late: bool) -> None:
    assert late_success(analyse(trace)) is late


def test_the_culprit_as_automation_reads_it() -> None:
    verdict = analyse(story(), (), {"documents-overseas": AUSTRALIA}).verdict
    assert verdict is not None
    record = culprit_record(verdict)
    assert list(record) == ["span", "service", "share", "reason"]
    assert (record["span"], record["service"], record["share"]) == ("storage.store", "archive", 0.985)
    assert record["reason"].startswith("bucket documents-overseas is in australia-southeast1")
