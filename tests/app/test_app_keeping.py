"""app/telemetry/keeping.py: reasons to keep a part, their order, and the limit on how many are kept for them."""

import itertools

import pytest
from conftest import Memory, serving_with
from opentelemetry.context import Context, attach, detach, set_value

from app.telemetry.keeping import PART, REASONS, KeepLimit, keep
from app.telemetry.parts import Part


def part(head: bool = False) -> Part:
    return Part(serving_with(Memory()).parts, head)


@pytest.mark.parametrize(
    "reasons", list(itertools.permutations(REASONS, 2)) + [(reason,) for reason in REASONS], ids="+".join
)
def test_of_several_reasons_the_first_of_the_table_is_named_in_whichever_order_they_came(
    reasons: tuple[str, ...],
) -> None:
    order = ["deadline", "error", "disconnect", "slow", "downstream"]
    kept, head = part(), part(head=True)
    for reason in reasons:
        kept.keep(reason)
        head.keep(reason)
    assert kept.kept
    assert kept.reason == min(reasons, key=order.index)
    assert head.reason == "head", "head-sampled parts stay an unbiased sample"


def test_an_undecided_part_has_no_reason() -> None:
    assert (part().kept, part().reason) == (False, "")


def test_keep_speaks_of_the_running_request_only() -> None:
    """Outside of one, as in a job or a library's own thread, nothing happens and nothing is raised."""
    keep("error")
    running, other = part(), part()
    token = attach(set_value(PART, running))
    try:
        keep("slow")
        keep("error", Context())
        keep("error", set_value(PART, other))
    finally:
        detach(token)
    assert (running.reason, other.reason) == ("slow", "error")


def test_a_part_takes_one_place_however_many_reasons_it_has() -> None:
    serving = serving_with(Memory(), keep_per_second=2)
    parts = [Part(serving.parts, False) for _ in range(3)]
    for each, reason in itertools.product(parts, ("slow", "error", "error")):
        each.keep(reason)
    assert [each.reason for each in parts] == ["error", "error", ""]
    assert serving.parts.counters.dropped["keep_limit"] == 1


def test_head_parts_take_no_place() -> None:
    serving = serving_with(Memory(), keep_per_second=0)
    head, other = Part(serving.parts, True), Part(serving.parts, False)
    head.keep("error")
    other.keep("error")
    assert (head.kept, other.kept) == (True, False)
    assert serving.parts.counters.dropped["keep_limit"] == 1


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("per_second", "steps", "taken"),
    [
        pytest.param(3, [0.0] * 5, [1, 1, 1, 0, 0], id="at once"),
        pytest.param(2, [0.0, 0.0, 0.0, 0.5, 0.0], [1, 1, 0, 1, 0], id="filled up by the clock"),
        pytest.param(2, [60.0, 0.0, 0.0], [1, 1, 0], id="never beyond one second's worth"),
        pytest.param(1, [0.0, 0.25, 0.25, 0.25, 0.25], [1, 0, 0, 0, 1], id="in fractions"),
        pytest.param(0, [0.0, 10.0], [0, 0], id="none"),
    ],
)
def test_the_limit_is_per_second(per_second: int, steps: list[float], taken: list[int]) -> None:
    clock = Clock()
    limit = KeepLimit(per_second, clock)
    answers = []
    for step in steps:
        clock.now += step
        answers.append(int(limit.take()))
    assert answers == taken
