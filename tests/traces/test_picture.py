"""The picture of a trace: what is drawn, in milliseconds after its first instant."""

import json
from typing import Any

import pytest
from handmade import AUSTRALIA, call, healthy, log, platform, server, span, story, trace

from traces.analysis import analyse
from traces.picture import picture
from traces.record import record
from traces.span import Trace

FAR = {"documents-overseas": AUSTRALIA}


def drawn(made: Trace, entries: Any = (), locations: Any = None) -> dict[str, Any]:
    """The picture, after a way through JSON, as the page gets it."""
    told: dict[str, Any] = json.loads(json.dumps(picture(analyse(made, entries, locations or {}))))
    return told


def row(told: dict[str, Any], id: int) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in told["rows"] if each["id"] == f"{id:016x}")
    return found


def test_the_incident_in_figures() -> None:
    """Duration and status are the client's; the axis reaches to the last span's end."""
    told = drawn(story(), locations=FAR)
    assert (told["duration_ms"], told["status"], told["failed"]) == (1000.0, 504, True)
    assert (told["total_ms"], told["dark_ms"]) == (1110.0, 4.0)
    assert told["services"] == ["gateway", "extract", "archive"]
    assert told["verdict"]["cause"] == "cross_region_storage"
    assert (told["verdict_span"], told["tone"]) == (f"{6:016x}", "bad")


def test_the_verdict_leads_to_the_span_that_it_means() -> None:
    """Not to another one of the same service and name, however much longer it is: here one that nobody waited for."""
    told = drawn(
        trace(
            server(1, 0, "a", 0, 100),
            span(2, 1, "a", "load", "INTERNAL", 5, 95),
            span(3, 1, "a", "load", "INTERNAL", 90, 900),
        )
    )
    assert (told["verdict"]["span"], told["verdict_span"]) == ("load", f"{2:016x}")


def test_the_clients_wait_ends_where_the_client_had_its_answer() -> None:
    """However long background work goes on: the page can be drawn to that scale."""
    told = drawn(trace(server(1, 0, "a", 10, 30), span(2, 1, "a", "later", "INTERNAL", 20, 3_600_000)))
    assert (told["duration_ms"], told["wait_ms"], told["total_ms"]) == (20.0, 20.0, 3_599_990.0)
    told = drawn(trace(server(1, 9, "lost", 0, 5), server(2, 0, "a", 10, 30)))
    assert (told["duration_ms"], told["wait_ms"]) == (20.0, 30.0)


def test_it_says_what_the_record_says() -> None:
    """Page and command agree, the critical path included; the page also knows the spans."""
    analysis = analyse(story(), (), FAR)
    told, said = picture(analysis), record(analysis)
    assert {key: told[key] for key in said if key != "critical_path"} == {
        key: value for key, value in said.items() if key != "critical_path"
    }
    path = told["critical_path"]
    assert [{key: part[key] for key in said["critical_path"][0]} for part in path] == said["critical_path"]
    assert [(part["id"][-1], part["dark"]) for part in path[:2]] == [("1", False), ("2", True)]


def test_the_deadline_is_where_the_client_had_its_answer() -> None:
    """One vertical line, with the words for it; what went on afterwards is late by so much."""
    told = drawn(story())
    assert told["deadline"] == {"at_ms": 1000.0, "label": "504 sent to the client at 1,000 ms"}
    assert [row(told, id)["late_ms"] for id in (1, 3, 5)] == [0, 110.0, 107.0]
    assert told["notes"][0].startswith("gateway had answered 504. Nobody waited any more for extract")


def test_a_caller_that_gave_up_alone_is_the_deadline() -> None:
    """If the entry answers well, the line is where a caller in between lost patience."""
    told = drawn(
        trace(
            server(1, 0, "a", 0, 100),
            call(2, 1, "a", 5, 50, None, error__type="ReadTimeout"),
            server(3, 2, "b", 6, 90),
        )
    )
    assert told["deadline"]["label"] == "a gave up at 50 ms"


def test_nothing_is_drawn_of_a_deadline_that_held() -> None:
    """No line without one that was overrun."""
    told = drawn(healthy())
    assert (told["deadline"], told["failed"], told["status"]) == (None, False, 201)
    assert all(each["late_ms"] == 0 for each in told["rows"])


def test_stretches_of_a_bar() -> None:
    """Own work, dark hand-over with its sentence, and the critical path; what is neither is waiting."""
    told = drawn(story())
    call_to_extract = row(told, 2)
    assert call_to_extract["work"] == []
    assert call_to_extract["dark"] == [
        {
            "from_ms": 10.0,
            "to_ms": 12.0,
            "span": f"{2:016x}",
            "sentence": "gateway waited for extract to begin (network, queueing or a cold start)",
        }
    ]
    assert row(told, 1)["work"] == [[0.0, 10.0]]
    assert row(told, 7)["critical"] == [[15.5, 1000.0]]


def test_time_without_any_span_belongs_to_no_row() -> None:
    """A gap between two spans is told by itself, with its sentence."""
    told = drawn(trace(server(1, 0, "a", 0, 10), server(2, 0, "b", 30, 40)))
    assert [(gap["from_ms"], gap["to_ms"], gap["span"]) for gap in told["gaps"]] == [(10.0, 30.0, "")]
    assert not any(each["dark"] for each in told["rows"])


@pytest.mark.parametrize(
    ("id", "label", "target"),
    [
        (1, "gateway POST /documents 1,000 ms 504", ""),
        (2, "gateway POST 990 ms ERROR", "extract"),
        (6, "archive storage.store 1,085 ms", ""),
        (7, "archive POST 1,084 ms 200", "bucket documents-overseas"),
    ],
)
def test_a_row_is_named_for_people(id: int, label: str, target: str) -> None:
    """Service, span, duration, status; a call also says whom it calls."""
    found = row(drawn(story()), id)
    assert (found["label"], found["target"]) == (label, target)


@pytest.mark.parametrize(("status", "failed"), [(404, False), (429, False), (500, True), (None, True)])
def test_an_answer_4xx_is_not_drawn_as_a_failure(status: int | None, failed: bool) -> None:
    """A call that asks whether an object exists ends in 404, and nothing is wrong; a call without an answer failed."""
    told = drawn(
        trace(
            server(1, 0, "a", 0, 9), call(2, 1, "a", 1, 5, status, otel__status_code="ERROR", error__type="x")
        )
    )
    found = row(told, 2)
    assert (found["failed"], found["tone"]) == (failed, "bad" if failed else "warn")


def test_rows_are_a_tree_in_order() -> None:
    """Parents before children, with depth and number of children; the platform's rows name their service."""
    told = drawn(
        trace(platform(1, 0, "gateway", 0, 30), server(2, 1, "gateway", 2, 28), call(3, 2, "gateway", 3, 4))
    )
    assert [(each["depth"], each["children"], each["parent"][-1:]) for each in told["rows"]] == [
        (0, 1, ""),
        (1, 1, "1"),
        (2, 0, "2"),
    ]
    assert told["rows"][0]["owner"] == "Cloud Run (gateway-local)"


def test_logs_are_under_the_span_that_wrote_them() -> None:
    """By span id; those of spans that are not in the trace come apart."""
    told = drawn(healthy(), [log(20, "ERROR", "no", 3, "extract"), log(30, "INFO", "lost", 77, "nobody")])
    assert row(told, 3)["logs"] == [{"at_ms": 20.0, "severity": "ERROR", "tone": "bad", "message": "no"}]
    assert [line["message"] for line in told["logs"]] == ["lost"]


def test_a_start_that_nobody_waited_for_is_marked() -> None:
    """An instance that was there before the request came, as after a deployment."""
    told = drawn(
        trace(
            server(1, 0, "a", 100, 120, faas__coldstart="true"),
            span(2, 1, "a", "instance.start", "INTERNAL", 0, 50),
        )
    )
    assert {each["name"]: each["waited_for"] for each in told["rows"]} == {
        "instance.start": True,
        "POST /documents": True,
    }
    told = drawn(
        trace(
            platform(9, 0, "a", 99, 121),
            server(1, 9, "a", 100, 120, faas__coldstart="true"),
            span(2, 1, "a", "instance.start", "INTERNAL", 0, 50),
        )
    )
    assert {each["name"]: each["waited_for"] for each in told["rows"]}["instance.start"] is False


def test_a_trace_of_a_thousand_levels_is_drawn() -> None:
    """Depth has no limit, here as in the tree."""
    spans = [span(id + 1, id, "a", f"step {id}", "INTERNAL", id, 3000 - id) for id in range(1000)]
    told = drawn(trace(*spans))
    assert [each["depth"] for each in told["rows"]] == list(range(1000))


def test_a_trace_without_spans_is_empty() -> None:
    """Nothing to draw is no error."""
    told = drawn(trace())
    assert (told["rows"], told["verdict"], told["deadline"], told["total_ms"]) == ([], None, None, 0.0)
