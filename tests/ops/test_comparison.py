"""What changed between two traces, as a table and in a sentence."""

import io

import pytest
from handmade import AUSTRALIA, SPAIN, call, healthy, server, span, stored, story, trace
from rich.console import Console

from ops.comparison import Comparison, ComparisonTable, compare
from traces.analysis import analyse
from traces.record import record
from traces.span import Trace


def compared(a: Trace, b: Trace) -> Comparison:
    where = {"documents": SPAIN, "documents-overseas": AUSTRALIA}
    return compare(record(analyse(a, (), where)), record(analyse(b, (), where)))


def drawn(comparison: Comparison, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=file, width=100, highlight=False).print(ComparisonTable(comparison))
    file.flush()
    return file.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


def test_the_incident_against_a_healthy_request() -> None:
    found = compared(healthy(), story())
    assert found["changes"][0] == {
        "service": "archive",
        "span": "POST",
        "a_ms": 15.0,
        "b_ms": 984.5,
        "change_ms": 969.5,
    }
    assert found["sentence"] == (
        "B took 940 ms longer than A (1,000 ms, not 60 ms), most of it in archive POST (+970 ms); "
        "the client got 504 instead of 201; the cause is cross_region_storage instead of own_work."
    )


@pytest.mark.parametrize(("a", "b"), [(healthy(), story()), (story(), healthy()), (trace(), story())])
def test_the_changes_add_up_to_the_change_of_the_wait_and_the_largest_comes_first(a: Trace, b: Trace) -> None:
    found = compared(a, b)
    changes = [change["change_ms"] for change in found["changes"]]
    assert sum(changes) == pytest.approx(found["b"]["duration_ms"] - found["a"]["duration_ms"])
    assert changes == sorted(changes, key=lambda change: -abs(change))


def test_a_request_that_became_faster() -> None:
    sentence = compared(story(), healthy())["sentence"]
    assert sentence.startswith(
        "B took 940 ms less than A (60 ms, not 1,000 ms), most of it in archive POST (-970 ms)"
    )


def test_two_requests_alike() -> None:
    assert (
        compared(healthy(), healthy())["sentence"]
        == "B took as long as A (60 ms); the cause of both is own_work."
    )


def test_time_that_moved_from_one_span_to_another_is_shown_though_the_wait_is_the_same() -> None:
    a = trace(server(1, 0, "a", 0, 100), span(2, 1, "a", "parse", "INTERNAL", 10, 90))
    b = trace(server(1, 0, "a", 0, 100), *stored(2, 1, "a", "documents", 10, 90))
    found = {(change["span"], change["change_ms"]) for change in compared(a, b)["changes"]}
    assert found == {("parse", -80.0), ("POST", 79.0), ("storage.store", 1.0), ("POST /documents", 0.0)}


def test_spans_of_one_name_are_added_up() -> None:
    """Three calls instead of one are one row."""
    a = trace(server(1, 0, "a", 0, 100), call(2, 1, "a", 10, 20))
    b = trace(server(1, 0, "a", 0, 100), *(call(2 + i, 1, "a", 10 + 20 * i, 20 + 20 * i) for i in range(3)))
    (row,) = [change for change in compared(a, b)["changes"] if change["span"] == "POST"]
    assert (row["a_ms"], row["b_ms"]) == (10.0, 30.0)


def test_a_trace_without_spans_cannot_be_compared() -> None:
    assert compared(trace(), story())["sentence"].startswith("There is nothing to compare")


def test_the_table_has_both_requests_the_changes_and_the_sentence_last() -> None:
    lines = drawn(compared(healthy(), story())).splitlines()
    assert lines[0].startswith("A  0af7651916cd43dd8448eb211c80319c  201, 60 ms, 4.0 ms dark, own_work")
    assert lines[1].endswith("504, 1,000 ms, 4.0 ms dark, cross_region_storage")
    assert lines[4].split() == ["15", "ms", "984", "ms", "+970", "ms", "archive", "POST"]
    assert lines[-1].endswith("cross_region_storage instead of own_work.")


def test_many_changes_are_counted_not_listed_and_names_are_made_safe() -> None:
    parts = [span(2 + i, 1, "a", f"part\x1b {i} ü", "INTERNAL", 5 * i, 5 * i + 5) for i in range(15)]
    text = drawn(
        compared(trace(server(1, 0, "a", 0, 100)), trace(server(1, 0, "a", 0, 100), *parts)), "ascii"
    )
    assert "and 6 smaller ones" in text
    assert r"part\x1b" in text
    assert text.isascii()
