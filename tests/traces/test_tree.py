"""The tree of a trace, and what holds for it however spans arrive."""

import itertools
import random
import time

import pytest
from handmade import call, healthy, platform, server, span, stored, story

from traces.analysis import analyse
from traces.criticalpath import critical_path
from traces.darktime import dark_ns, gaps
from traces.span import Span, Trace
from traces.tree import Tree

MS = 10**6


def shape(tree: Tree) -> list[tuple[int, str]]:
    return [(depth, f"{span.service} {span.name}") for depth, span in tree.walk()]


def by_id(tree: Tree, id: int) -> Span:
    found = tree.get(f"{id:016x}")
    assert found is not None
    return found


def path(tree: Tree) -> list[tuple[str, str, float, float]]:
    begin = tree.extent[0]
    return [
        (step.span.service, step.span.name, (step.start_ns - begin) / MS, (step.end_ns - begin) / MS)
        for step in critical_path(tree)
    ]


def test_the_order_in_which_spans_arrive_does_not_matter() -> None:
    spans = list(story().spans)
    random.Random(1).shuffle(spans)
    assert shape(Tree(spans)) == shape(Tree(story().spans))
    assert [depth for depth, _ in shape(Tree(spans))] == [0, 1, 2, 3, 4, 5, 6]


def test_a_span_sent_twice_counts_once() -> None:
    assert len(Tree([*story().spans, *story().spans])) == 7


def test_self_time_is_what_no_child_covers_and_parallel_children_count_once() -> None:
    tree = Tree(
        [
            server(1, 0, "a", 0, 100),
            call(2, 1, "a", 10, 60),
            call(3, 1, "a", 40, 90),
            call(4, 1, "a", 95, 300),
        ]
    )
    assert tree.self_ns(by_id(tree, 1)) == 15 * MS


def test_children_beyond_the_end_of_their_parent_take_no_self_time_from_it() -> None:
    children = [span(2, 1, "a", "one", "INTERNAL", 10, 1100), span(3, 1, "a", "two", "INTERNAL", 1200, 1300)]
    tree = Tree([server(1, 0, "a", 0, 1000), *children])
    assert tree.own[f"{1:016x}"] == [(tree.extent[0], tree.extent[0] + 10 * MS)]


def test_a_span_whose_parent_is_not_there_is_an_orphan_and_still_shown() -> None:
    tree = Tree([server(1, 0, "gateway", 0, 100), server(5, 4, "archive", 20, 90)])
    assert [orphan.service for orphan in tree.orphans] == ["archive"]
    assert shape(tree) == [(0, "gateway POST /documents"), (0, "archive POST /documents")]
    assert tree.entry == by_id(tree, 1)


def test_a_true_root_is_the_entry_even_if_an_orphans_clock_is_early() -> None:
    tree = Tree([server(1, 0, "gateway", 0, 100), server(5, 4, "archive", -500, 90)])
    assert tree.entry == by_id(tree, 1)
    assert tree.entry_server == by_id(tree, 1)


def test_hostile_cycles_lose_no_span() -> None:
    tree = Tree(
        [server(1, 2, "a", 0, 10), server(2, 3, "a", 1, 9), server(3, 1, "a", 2, 8), server(4, 4, "a", 3, 5)]
    )
    assert {span.span_id[-1] for _, span in tree.walk()} == {"1", "2", "3", "4"}
    assert tree.orphans == []


def test_an_empty_trace_has_nothing_and_breaks_nothing() -> None:
    analysis = analyse(Trace("0" * 31 + "1", "p", ()))
    assert (analysis.tree.extent, analysis.path, analysis.gaps, analysis.dark_ns) == ((0, 0), [], [], 0)
    assert (analysis.verdict, analysis.deadline, analysis.late_services, analysis.notes) == (
        None,
        None,
        [],
        [],
    )


@pytest.mark.parametrize("parent_of_extract", [2, 8])
def test_the_platforms_span_stands_between_call_and_callee(parent_of_extract: int) -> None:
    """Whether the callee kept the platform's parent or repaired it to the caller's span."""
    spans = [
        server(1, 0, "gateway", 0, 100),
        call(2, 1, "gateway", 10, 90),
        platform(8, 2, "extract", 12, 88),
        server(3, parent_of_extract, "extract", 60, 87),
    ]
    tree = Tree(spans)
    assert [depth for depth, _ in tree.walk()] == [0, 1, 2, 3]
    assert tree.callee(by_id(tree, 2)) == by_id(tree, 3)
    assert ("extract", "POST /documents", 60.0, 87.0) in path(tree)


def test_a_callee_that_begins_before_its_caller_is_moved_with_all_its_spans() -> None:
    """extract's clock is 30 ms slow; archive's is right, and stays."""
    tree = Tree(
        [
            server(1, 0, "gateway", 0, 100),
            call(2, 1, "gateway", 10, 90),
            server(3, 2, "extract", -15, 45),
            call(4, 3, "extract", -10, 40),
            server(5, 4, "archive", 32, 60),
        ]
    )
    moved = [tree.clock_shifts[f"{id:016x}"] // MS for id in (1, 2, 3, 4, 5)]
    assert moved == [0, 0, 35, 35, 0]
    assert by_id(tree, 3).start_ns >= by_id(tree, 2).start_ns
    assert by_id(tree, 3).end_ns <= by_id(tree, 2).end_ns
    assert gaps(tree)[0].duration_ns == 10 * MS


def test_a_callee_that_works_on_after_a_timeout_is_not_mistaken_for_a_wrong_clock() -> None:
    assert set(Tree(story().spans).clock_shifts.values()) == {0}


def test_an_answer_before_the_callee_began_is_a_wrong_clock_but_a_late_cold_start_is_not() -> None:
    answered = Tree([server(1, 0, "a", 0, 100), call(2, 1, "a", 10, 90), server(3, 2, "b", 500, 540)])
    assert answered.clock_shifts[f"{3:016x}"] == -470 * MS
    timed_out = Tree(
        [server(1, 0, "a", 0, 100, 504), call(2, 1, "a", 10, 90, None), server(3, 2, "b", 500, 540)]
    )
    assert timed_out.clock_shifts[f"{3:016x}"] == 0


def test_the_critical_path_of_the_story_ends_where_the_caller_gave_up() -> None:
    assert path(Tree(story().spans)) == [
        ("gateway", "POST /documents", 0, 10),
        ("gateway", "POST", 10, 12),
        ("extract", "POST /documents", 12, 13),
        ("extract", "POST", 13, 14),
        ("archive", "POST /documents", 14, 15),
        ("archive", "storage.store", 15, 15.5),
        ("archive", "POST", 15.5, 1000),
    ]


def test_the_critical_path_follows_the_last_of_parallel_children() -> None:
    tree = Tree(
        [
            server(1, 0, "a", 0, 100),
            *(span(i, 1, "a", f"part {i}", "INTERNAL", 10, 10 * i) for i in (2, 5, 9)),
        ]
    )
    assert path(tree) == [
        ("a", "POST /documents", 0, 10),
        ("a", "part 9", 10, 90),
        ("a", "POST /documents", 90, 100),
    ]


def test_the_critical_path_goes_by_who_finished_last_not_by_who_began_last() -> None:
    children = [span(2, 1, "a", "long", "INTERNAL", 50, 100), span(3, 1, "a", "short", "INTERNAL", 60, 70)]
    assert path(Tree([server(1, 0, "a", 0, 100), *children])) == [
        ("a", "POST /documents", 0, 50),
        ("a", "long", 50, 100),
    ]


def test_of_calls_that_all_outlive_their_caller_it_waited_for_the_first() -> None:
    children = [
        span(2, 1, "a", "first", "INTERNAL", 10, 1100),
        span(3, 1, "a", "second", "INTERNAL", 900, 1005),
    ]
    assert path(Tree([server(1, 0, "a", 0, 1000, 504), *children])) == [
        ("a", "POST /documents", 0, 10),
        ("a", "first", 10, 1000),
    ]


def test_a_callee_that_ends_after_its_answer_was_not_abandoned() -> None:
    """Background work of the callee: its server span covers it."""
    spans = [server(1, 0, "a", 0, 100), call(2, 1, "a", 10, 90), server(3, 2, "b", 20, 300)]
    assert analyse(Trace("1" * 32, "p", tuple(spans))).abandoned == []


@pytest.mark.parametrize(
    "children",
    [
        [call(2, 1, "a", 1, 100.5), server(3, 2, "b", 2, 99)],
        [server(3, 1, "b", 8, 102)],
        [
            call(2, 1, "a", 1, 40),
            server(4, 2, "c", 2, 39),
            call(5, 1, "a", 41, 100.3),
            server(3, 5, "b", 42, 99),
        ],
    ],
    ids=["the last bytes", "another clock", "the last of two"],
)
def test_a_child_that_outlives_a_success_by_a_little_was_waited_for(children: list[Span]) -> None:
    """Up to the parent's end: it would else be the parent's own work, of which there was none."""
    tree = Tree([server(1, 0, "a", 0, 100, 200), *children])
    times = {name: sum(end - start for at, _, start, end in path(tree) if at == name) for name in "ab"}
    assert times["b"] > 50 > times["a"]
    assert path(tree)[-1][3] == 100


def test_what_is_little_grows_with_the_length_of_the_parent() -> None:
    """Ten milliseconds are nothing to a second."""
    assert path(Tree([server(1, 0, "a", 0, 1000, 200), server(2, 1, "b", 300, 1010)]))[-1][0] == "b"


@pytest.mark.parametrize(
    "late",
    [span(2, 1, "a", "mail", "INTERNAL", 97, 101), call(2, 1, "a", 1, 120), call(2, 1, "a", 1, 109)],
    ids=["short work", "a long call", "a call that is a tenth longer"],
)
def test_a_child_that_outlives_a_success_by_much_of_itself_or_of_it_was_not(late: Span) -> None:
    """Short work that was begun at the end, and a call that went on for long: nobody waited for their end."""
    assert path(Tree([server(1, 0, "a", 0, 100, 200), late])) == [("a", "POST /documents", 0, 100)]


def test_background_work_after_a_success_is_not_on_the_critical_path() -> None:
    background = span(2, 1, "a", "mail", "INTERNAL", 40, 5000)
    assert path(Tree([server(1, 0, "a", 0, 50), background])) == [("a", "POST /documents", 0, 50)]
    assert path(Tree([server(1, 0, "a", 0, 50, 504), background]))[-1] == ("a", "mail", 40, 50)


@pytest.mark.parametrize("seed", range(40))
def test_the_path_covers_the_entry_exactly_and_the_parts_of_the_trace_add_up(seed: int) -> None:
    """For random trees with overlaps, outliving children, lost parents and skewed clocks."""
    rng = random.Random(seed)
    spans = [server(1, 0, "a", 0, 1000, rng.choice([200, 504]))]
    for id in range(2, 40):
        start = rng.uniform(-50, 1100)
        make = rng.choice([server, call])
        spans.append(
            make(id, rng.randrange(1, id + 2), rng.choice("abc"), start, start + rng.uniform(0, 600))
        )
    tree = Tree(spans)
    steps = critical_path(tree)
    entry = tree.entry
    assert entry is not None
    assert (steps[0].start_ns, steps[-1].end_ns) == (entry.start_ns, entry.end_ns)
    assert all(before.end_ns == after.start_ns for before, after in itertools.pairwise(steps))
    assert 0 <= dark_ns(tree) <= tree.extent[1] - tree.extent[0]
    assert len(list(tree.walk())) == len(tree) == 39


def test_dark_time_names_who_waited_for_whom() -> None:
    tree = Tree(
        [
            server(1, 0, "a", 0, 100),
            call(2, 1, "a", 10, 90),
            server(3, 2, "b", 70, 85),
        ]
    )
    assert [(gap.duration_ns // MS, gap.sentence) for gap in gaps(tree)] == [
        (60, "a waited for b to begin (network, queueing or a cold start)"),
        (5, "a waited for the answer of b to come back (network)"),
    ]
    assert dark_ns(tree) == 65 * MS


def test_time_that_a_parallel_span_explains_is_not_dark() -> None:
    tree = Tree(
        [
            server(1, 0, "a", 0, 100),
            call(2, 1, "a", 10, 90),
            server(3, 2, "b", 70, 90),
            span(4, 1, "a", "parse", "INTERNAL", 10, 50),
        ]
    )
    assert dark_ns(tree) == 20 * MS


def test_time_without_any_span_is_dark() -> None:
    tree = Tree([server(1, 0, "a", 0, 100), server(9, 8, "b", 250, 300)])
    assert [gap.sentence for gap in gaps(tree)] == ["no span at all between a and b"]
    assert dark_ns(tree) == 150 * MS


def test_a_call_whose_callee_began_after_the_caller_gave_up_is_all_dark() -> None:
    tree = Tree(
        [server(1, 0, "a", 0, 1000, 504), call(2, 1, "a", 10, 1000, None), server(3, 2, "b", 1500, 1600)]
    )
    assert [(gap.kind, gap.duration_ns // MS) for gap in gaps(tree)] == [("request", 990), ("empty", 500)]


def test_storage_work_is_one_hop_with_the_calls_inside_it() -> None:
    tree = Tree([server(1, 0, "a", 0, 100), *stored(2, 1, "a", "documents", 10, 90)])
    assert tree.storage(by_id(tree, 3)) == by_id(tree, 2)
    assert tree.storage(by_id(tree, 1)) is None


def test_a_server_span_that_mentions_a_bucket_is_not_storage_work() -> None:
    tree = Tree(
        [
            server(1, 0, "a", 0, 100, gcp__gcs__bucket="documents"),
            span(2, 1, "a", "parse", "INTERNAL", 10, 90),
        ]
    )
    assert (tree.storage(by_id(tree, 1)), tree.storage(by_id(tree, 2))) == (None, None)


@pytest.mark.parametrize("deep", [True, False])
def test_a_thousand_spans_are_analysed_quickly_whatever_their_shape(deep: bool) -> None:
    spans = [
        span(i, i - 1 if deep else min(i - 1, 1), "a", "step", "INTERNAL", i / 10, 1000 - i / 10)
        for i in range(1, 1001)
    ]
    begun = time.process_time()
    analysis = analyse(Trace("1" * 32, "p", tuple(spans)))
    assert len(analysis.tree) == 1000
    assert time.process_time() - begun < 2


def test_the_healthy_trace_has_no_deadline_and_nobody_late() -> None:
    analysis = analyse(healthy())
    assert (analysis.deadline, analysis.late_services, analysis.abandoned) == (None, [], [])
    assert analysis.dark_ns == 4 * MS
