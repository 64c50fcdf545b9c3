"""The start of an instance in a trace: whose wait it explains, how much of it, and what is said of it."""

import io
import itertools
import random
from typing import Any

import pytest
from handmade import call, platform, server, span, started, trace
from rich.console import Console

from ops.findings import Findings
from ops.waterfall import Waterfall
from traces.analysis import Analysis, analyse
from traces.criticalpath import critical_path
from traces.darktime import dark_ns, gaps
from traces.span import Span
from traces.tree import Tree

MS = 10**6


def cold(id: int, parent: int, service: str, start: float, end: float, status: int = 201) -> Span:
    """The server span of an instance's first request."""
    return server(id, parent, service, start, end, status, faas__coldstart="true")


def entry() -> list[Span]:
    """The client waited 2000 ms: 1800 ms for the gateway's process, 50 ms more until it was asked."""
    return [cold(1, 0, "gateway", 1850, 2000), started(2, 1, "gateway", 0, 1800)]


def callee(begun: float = 100, ready: float = 1890) -> list[Span]:
    """The gateway called at 5 ms; extract's instance began to start at `begun`, and extract itself at 1900 ms."""
    return [
        server(1, 0, "gateway", 0, 2000),
        call(2, 1, "gateway", 5, 1995),
        cold(3, 2, "extract", 1900, 1990),
        started(4, 3, "extract", begun, ready),
    ]


def analysed(*spans: Span) -> Analysis:
    return analyse(trace(*spans))


def rows(analysis: Analysis) -> list[str]:
    console = Console(file=io.StringIO(), width=100, highlight=False)
    console.print(Waterfall(analysis))
    console.print(Findings(analysis))
    file: Any = console.file
    return [line.rstrip() for line in file.getvalue().split("\n")]


def path(analysis: Analysis) -> list[tuple[str, int]]:
    return [(f"{step.span.service} {step.span.name}", step.duration_ns // MS) for step in analysis.path]


def test_the_start_before_the_entry_is_part_of_the_clients_wait() -> None:
    """Nothing above the entry says when the request came: the wait begins with the start of its instance."""
    found = analysed(*entry())
    assert found.tree.entry == found.tree.entry_server != found.tree.start(found.tree.entry)
    assert found.tree.orphans == []
    assert path(found) == [("gateway instance.start", 1850), ("gateway POST /documents", 150)]
    assert found.verdict
    assert (found.verdict.service, found.verdict.span, found.verdict.cause) == (
        "gateway",
        "instance.start",
        "cold_start",
    )
    assert found.verdict.sentence == (
        "1,850 ms of 2,000 ms (92 %) passed before gateway began: an instance was started for this request (cold start); "
        "keep one warm with min instances."
    )
    assert found.dark_ns == 50 * MS
    assert [gap.sentence for gap in found.gaps] == [
        "gateway had started and its first request had not begun (startup probe)"
    ]


def test_the_start_of_a_callee_stands_beside_its_server_span_below_the_call() -> None:
    """The call waited for both, one after the other; what no span explains of it is still dark."""
    found = analysed(*callee())
    assert [(depth, span.service, span.name) for depth, span in found.tree.walk()][2:] == [
        (2, "extract", "instance.start"),
        (2, "extract", "POST /documents"),
    ]
    assert path(found) == [
        ("gateway POST /documents", 5),
        ("gateway POST", 95),
        ("extract instance.start", 1790),
        ("gateway POST", 10),
        ("extract POST /documents", 90),
        ("gateway POST", 5),
        ("gateway POST /documents", 5),
    ]
    assert found.dark_ns == 110 * MS
    assert [(gap.kind, gap.duration_ns // MS) for gap in found.gaps] == [
        ("request", 95),
        ("request", 10),
        ("response", 5),
    ]
    assert found.gaps[0].sentence == "gateway waited for extract to begin (cold start)"
    assert found.verdict
    assert found.verdict.sentence.startswith("1,900 ms of 2,000 ms (95 %) passed before extract began: ")
    assert found.verdict.cause == "cold_start"


@pytest.mark.parametrize("parent", [2, 8])
def test_the_start_is_seen_through_the_platforms_span(parent: int) -> None:
    """It goes where its server span goes: below the platform's span, whose request waited for it."""
    first, called, _, _ = callee()
    found = analysed(
        first,
        called,
        platform(8, 2, "extract", 10, 1994),
        cold(3, parent, "extract", 1900, 1990),
        started(4, 3, "extract", 100, 1890),
    )
    assert [(depth, span.name) for depth, span in found.tree.walk()][3:] == [
        (3, "instance.start"),
        (3, "POST /documents"),
    ]
    assert found.verdict
    assert (found.verdict.service, found.verdict.cause) == ("extract", "cold_start")


def test_with_the_platforms_span_above_it_the_entrys_start_counts_from_the_requests_arrival() -> None:
    """An instance that was half started when the request came cost that request only the other half."""
    found = analysed(
        platform(8, 0, "gateway", 900, 2001),
        cold(1, 8, "gateway", 1850, 2000),
        started(2, 1, "gateway", 0, 1800),
    )
    assert found.tree.wait == (found.tree.extent[0], found.tree.extent[1])
    assert found.tree.extent[1] - found.tree.extent[0] == 1101 * MS
    assert found.verdict
    assert found.verdict.sentence.startswith("951 ms of 1,101 ms (86 %) passed before gateway began")


def test_a_start_that_was_over_before_the_call_explains_nothing() -> None:
    """After a deployment the first request comes to a running instance: its trace does not reach back to the start."""
    found = analysed(*callee(begun=-5000, ready=-2000))
    start = found.tree.get(f"{4:016x}")
    assert start
    assert start.duration_ns == 0
    assert found.tree.extent[1] - found.tree.extent[0] == 2000 * MS
    assert found.gaps[0].sentence == "gateway waited for extract to begin (network, queueing or a cold start)"
    assert found.verdict
    assert found.verdict.cause == "queueing"


@pytest.mark.parametrize("marked", [True, False])
def test_an_instances_first_request_without_a_start_in_its_trace_is_not_called_a_cold_start(
    marked: bool,
) -> None:
    """Such an instance was started ahead of it, or its start was lost: the time may be anything, and that is said."""
    first, called, _, _ = callee()
    make = cold if marked else server
    found = analysed(first, called, make(3, 2, "extract", 1900, 1990))
    assert found.gaps[0].sentence == "gateway waited for extract to begin (network, queueing or a cold start)"
    assert found.verdict
    assert found.verdict.cause == "queueing"
    assert ("the first request of its instance" in found.verdict.reason) is marked


def test_a_call_that_gave_up_during_the_start_waited_for_nothing_else() -> None:
    """The 504 of a cold start: the instance was ready long after the deadline."""
    found = analysed(
        server(1, 0, "gateway", 0, 1000, 504),
        call(2, 1, "gateway", 5, 1000, None),
        cold(3, 2, "extract", 1900, 1990),
        started(4, 3, "extract", 100, 1890),
    )
    assert path(found) == [
        ("gateway POST /documents", 5),
        ("gateway POST", 95),
        ("extract instance.start", 900),
    ]
    assert found.verdict
    assert found.verdict.cause == "cold_start"
    assert found.verdict.sentence.startswith("995 ms of 1,000 ms (100 %) passed before extract began")


def test_the_start_has_its_services_clock() -> None:
    """extract's clock is 3000 ms slow: its server span is moved behind the call, and the start with it."""
    first, called, _, _ = callee()
    found = analysed(
        first, called, cold(3, 2, "extract", -1100, -1010), started(4, 3, "extract", -1300, -1110)
    )
    start, moved = found.tree.get(f"{4:016x}"), found.tree.get(f"{3:016x}")
    assert start
    assert moved
    assert (moved.start_ns - start.end_ns) // MS == 10
    assert start.duration_ns == 190 * MS


def test_a_start_without_its_server_span_is_an_orphan_and_no_entry() -> None:
    found = analysed(server(1, 0, "gateway", 500, 600), started(4, 3, "extract", 0, 400))
    assert [span.name for span in found.tree.orphans] == ["instance.start"]
    assert found.tree.entry == found.tree.entry_server


def test_a_span_of_the_same_name_below_other_work_stays_where_it_is() -> None:
    """Only a server span has an instance that was started for it."""
    spans = [
        server(1, 0, "a", 0, 100),
        span(2, 1, "a", "job", "INTERNAL", 10, 90),
        started(3, 2, "a", 20, 80),
    ]
    tree = Tree(spans)
    assert [depth for depth, _ in tree.walk()] == [0, 1, 2]


@pytest.mark.parametrize("spans", [entry(), callee(), callee(-5000, -2000)])
def test_the_waterfall_begins_with_the_wait_and_has_no_negative_time(spans: list[Span]) -> None:
    lines = rows(analysed(*spans))
    assert "-" not in "".join(line[30:55] for line in lines[2:7])
    first = next(line for line in lines if "POST /documents" in line or "instance.start" in line)
    assert " 0 " in first


def test_the_waterfall_of_a_cold_entry() -> None:
    """The start in a row of its own before the entry, both as roots."""
    assert rows(analysed(*entry()))[:5] == [
        "Trace 0af7651916cd43dd8448eb211c80319c  2,000 ms, 2 spans, gateway",
        "  service span              start    ms  self status 0                                      2,000 ms",
        "● gateway instance.start        0 1,800 1,800        ███████████████████████████████████████████",
        "● gateway POST /documents   1,850   150   150 201                                               ████",
        "  ● critical path   █ self   ─ waiting   ░ dark: no span explains it   · log",
    ]


@pytest.mark.parametrize("seed", range(20))
def test_the_path_covers_the_wait_exactly_wherever_starts_are(seed: int) -> None:
    rng = random.Random(seed)
    spans: list[Span] = [server(1, 0, "a", 0, 1000, rng.choice([200, 504]))]
    for id in range(2, 30):
        begin = rng.uniform(-50, 1100)
        make = rng.choice([cold, call])
        spans.append(
            make(id, rng.randrange(1, id + 2), rng.choice("abc"), begin, begin + rng.uniform(0, 600))
        )
    for id, first in enumerate([one for one in spans if one.kind == "SERVER"], 100):
        begin = rng.uniform(-2000, 1000)
        spans.append(started(id, int(first.span_id, 16), first.service, begin, begin + rng.uniform(0, 1500)))
    tree = Tree(spans)
    steps = critical_path(tree)
    assert (steps[0].start_ns, steps[-1].end_ns) == tree.wait
    assert all(before.end_ns == after.start_ns for before, after in itertools.pairwise(steps))
    assert 0 <= dark_ns(tree) <= tree.extent[1] - tree.extent[0]
    assert all(gap.duration_ns > 0 for gap in gaps(tree))
    assert len(list(tree.walk())) == len(tree) == len(spans)
