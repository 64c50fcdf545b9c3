"""What holds for every trace, however broken: lost parents, cycles, wrong clocks, overlaps, spans without length."""

import json
import random

import pytest
from handmade import AUSTRALIA, BEGIN_NS, SPAIN, trace
from hypothesis import given, settings
from hypothesis import strategies as st

from traces.analysis import Analysis, analyse
from traces.cause import CAUSES
from traces.record import record
from traces.span import Span

MS = 10**6
BOUNDED = settings(deadline=None, max_examples=60, derandomize=True)
LOCATIONS = {"near": SPAIN, "far": AUSTRALIA}
IDS = st.integers(1, 14)
STATUSES = ("", "200", "201", "404", "429", "500", "503", "504")
ERRORS = ("", "ReadTimeout", "ValueError")


@st.composite
def spans(draw: st.DrawFn) -> Span:
    """Any span: its parent may be absent, itself or its own child; its times are anywhere, in no relation to others'."""
    begin = draw(st.integers(-50, 1100)) * MS
    labels = {
        "service.name": draw(st.sampled_from("abc")),
        "cloud.region": SPAIN,
        "http.response.status_code": draw(st.sampled_from(STATUSES)),
        "error.type": draw(st.sampled_from(ERRORS)),
        "gcs.bucket": draw(st.sampled_from(("", "", "near", "far"))),
        "faas.coldstart": draw(st.sampled_from(("", "true"))),
        "blueprint.source": draw(st.sampled_from(("", "", "", "platform"))),
        "sampling.keep_reason": draw(st.sampled_from(("", "deadline"))),
    }
    return Span(
        span_id=f"{draw(IDS):016x}",
        parent_id=draw(st.one_of(st.just(""), IDS.map("{:016x}".format))),
        name=draw(st.sampled_from(("POST", "GET", "work", "instance.start"))),
        kind=draw(st.sampled_from(("SERVER", "CLIENT", "INTERNAL"))),
        start_ns=BEGIN_NS + begin,
        end_ns=BEGIN_NS + begin + draw(st.one_of(st.just(0), st.integers(1, 600 * MS))),
        labels={key: value for key, value in labels.items() if value},
    )


def tree_of(seed: int) -> list[Span]:
    """Spans that do belong together, each below an earlier one, at any time near its; up to three are lost."""
    rng = random.Random(seed)
    made: list[Span] = []
    for id in range(1, rng.randint(2, 20)):
        parent = rng.choice(made) if made else None
        kind = rng.choice(("SERVER", "CLIENT", "INTERNAL"))
        labels = {
            "service.name": parent.service if parent and kind != "SERVER" else rng.choice("abc"),
            "cloud.region": SPAIN,
            "http.response.status_code": rng.choice(STATUSES),
            "error.type": rng.choice(("", *ERRORS)),
            "gcs.bucket": rng.choice(("", "", "near", "far")),
            "faas.coldstart": rng.choice(("", "true")),
        }
        start = (parent.start_ns if parent else BEGIN_NS) + rng.randint(-100, 200) * MS
        end = start + rng.choice((0, rng.randint(1, 600 * MS), rng.randint(1, 60 * MS)))
        name = rng.choice(("POST", "GET", "instance.start" if kind == "INTERNAL" else "work"))
        kept = {key: value for key, value in labels.items() if value}
        made.append(Span(f"{id:016x}", parent.span_id if parent else "", name, kind, start, end, kept))
    lost = rng.sample(made, rng.choice((0, 0, 1, min(3, len(made)))))
    return [span for span in made if span not in lost]


def trees() -> st.SearchStrategy[list[Span]]:
    return st.integers(0, 10**9).map(tree_of)


ANY = st.one_of(st.lists(spans(), max_size=12), trees())


def analysed(found: list[Span]) -> Analysis:
    return analyse(trace(*found), (), LOCATIONS)


@BOUNDED
@given(ANY)
def test_the_critical_path_is_disjoint_and_covers_the_wait_exactly(found: list[Span]) -> None:
    analysis = analysed(found)
    start, end = analysis.tree.wait
    assert sum(step.duration_ns for step in analysis.path) == end - start
    assert all(step.duration_ns > 0 for step in analysis.path)
    instants = [start, *(step.end_ns for step in analysis.path)]
    assert [step.start_ns for step in analysis.path] == instants[:-1]
    assert instants[-1] == end


@BOUNDED
@given(ANY)
def test_no_time_is_negative_and_dark_time_lies_within_the_trace(found: list[Span]) -> None:
    analysis = analysed(found)
    start, end = analysis.tree.extent
    assert 0 <= analysis.dark_ns <= end - start
    assert all(start <= gap.start_ns < gap.end_ns <= end for gap in analysis.gaps)
    for _, span in analysis.tree.walk():
        assert 0 <= analysis.tree.self_ns(span) <= span.duration_ns
        assert start <= span.start_ns <= span.end_ns <= end


@BOUNDED
@given(ANY)
def test_every_trace_with_spans_has_a_verdict_that_names_one_of_them(found: list[Span]) -> None:
    analysis = analysed(found)
    assert (analysis.verdict is None) == (not found)
    known = {(span.span_id, span.service, span.name) for _, span in analysis.tree.walk()}
    for verdict in filter(None, (analysis.verdict, *analysis.also)):
        assert 0 <= verdict.share <= 1
        assert verdict.cause in CAUSES
        assert (verdict.span_id, verdict.service, verdict.span) in known
        assert verdict.sentence.endswith(verdict.reason)
        assert verdict.reason.endswith(".")


@BOUNDED
@given(ANY)
def test_the_record_is_json_and_its_shares_sum_to_the_whole(found: list[Span]) -> None:
    analysis = analysed(found)
    told = record(analysis)
    assert json.loads(json.dumps(told)) == told
    path = told["critical_path"]
    assert sum(part["share"] for part in path) == pytest.approx(1 if path else 0, abs=1e-9)
    assert sum(part["self_ms"] for part in path) == pytest.approx(
        told["duration_ms"], abs=0.001 * len(path) + 1e-6
    )
    assert all(0 <= part["share"] <= 1 for part in path)
    assert bool(path) == bool(analysis.path)


@BOUNDED
@given(ANY, st.randoms(use_true_random=False))
def test_the_order_in_which_spans_arrive_changes_nothing(found: list[Span], order: random.Random) -> None:
    """Not even where one span has arrived twice, with two contents."""
    shuffled = list(found)
    order.shuffle(shuffled)
    first, second = analysed(found), analysed(shuffled)
    assert record(first) == record(second)
    assert (first.verdict, first.also, first.notes) == (second.verdict, second.also, second.notes)


@BOUNDED
@given(trees())
def test_every_span_is_somewhere_in_the_tree_once(found: list[Span]) -> None:
    tree = analysed(found).tree
    walked = [span for _, span in tree.walk()]
    assert sorted(span.span_id for span in walked) == sorted(span.span_id for span in found)
    for span in walked:
        assert tree.holds(tree.root(span), span)
        parent = tree.parent(span)
        assert parent is None or (tree.holds(parent, span) and not tree.holds(span, parent))


def chain(length: int) -> list[Span]:
    """Each span below the one before, a microsecond shorter at both ends."""
    return [
        Span(
            f"{i:016x}",
            f"{i - 1:016x}" if i > 1 else "",
            "step",
            ("SERVER", "CLIENT", "INTERNAL")[i % 3],
            BEGIN_NS + i * 1000,
            BEGIN_NS + 10**9 - i * 1000,
            {"service.name": f"s{i % 7}"},
        )
        for i in range(1, length + 1)
    ]


def flat(length: int, lost: bool = False) -> list[Span]:
    """One span and all others below it, or all of them with lost parents; each a retry of the one before."""
    root = Span(f"{1:016x}", "", "root", "SERVER", BEGIN_NS, BEGIN_NS + length * 1000, {"service.name": "a"})
    labels = {"service.name": "a", "http.response.status_code": "503"}
    return [
        root,
        *(
            Span(
                f"{i:016x}",
                f"{i + length if lost else 1:016x}",
                f"call {i // 2}",
                "CLIENT",
                BEGIN_NS + i * 1000,
                BEGIN_NS + i * 1000 + 500,
                labels | ({"service.name": f"s{i % 7}"} if lost else {}),
            )
            for i in range(2, length + 1)
        ),
    ]


@pytest.mark.parametrize(
    "found",
    [chain(5000), chain(20_000), flat(20_000), flat(20_000, lost=True)],
    ids=["5,000 deep", "20,000 deep", "20,000 wide", "20,000 lost"],
)
def test_a_large_trace_of_any_shape_is_analysed_to_the_end(found: list[Span]) -> None:
    analysis = analysed(found)
    assert len(analysis.tree) == len(found)
    assert analysis.verdict
    assert record(analysis)["critical_path"]
