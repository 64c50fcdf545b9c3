"""app/telemetry/keeping.py: reasons to keep a part, their order, and the limit on how many are kept for them."""

import itertools

import pytest
from conftest import Memory, serving_with
from opentelemetry.context import Context, attach, detach, set_value

from app.telemetry import keeping
from app.telemetry.keeping import PART, REASONS, KeepLimit, keep
from app.telemetry.part import Part


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
    for each in parts:
        each.settle()
    assert [each.reason for each in parts] == ["error", "error", ""]
    assert serving.parts.counters.dropped["keep_limit"] == 1


def test_head_parts_take_no_place() -> None:
    serving = serving_with(Memory(), keep_per_second=0)
    head, other = Part(serving.parts, True), Part(serving.parts, False)
    for each in (head, other):
        each.keep("error")
        each.settle()
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
        answers.append(int(limit.take("error")))
    assert answers == taken


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("per_second", [1, 2, 3, 100])
def test_half_of_the_limit_is_for_failures_alone(per_second: int, reason: str) -> None:
    """Whoever can send requests can hang up, or dawdle: with that alone no failure is to be hidden."""
    limit, urgent = KeepLimit(per_second, Clock()), reason in ("error", "deadline")
    taken = sum(limit.take(reason) for _ in range(per_second * 2))
    assert taken == (per_second if urgent else per_second - per_second // 2)
    assert sum(limit.take("error") for _ in range(per_second)) == per_second - taken


def test_hang_ups_at_any_rate_leave_failures_their_half() -> None:
    clock = Clock()
    limit, taken = KeepLimit(10, clock), 0
    for step in range(100):
        clock.now += 0.1
        for _ in range(10):
            limit.take("disconnect")
        taken += limit.take("error") if step % 2 else 0
    assert taken == 50


def test_who_was_refused_as_a_hang_up_is_kept_as_a_failure() -> None:
    serving = serving_with(Memory(), keep_per_second=2)
    first, second = (Part(serving.parts, False) for _ in range(2))
    for each in (first, second):
        each.keep("disconnect")
    assert (first.kept, second.kept) == (True, False)
    second.keep("error")
    second.settle()
    assert second.reason == "error"
    assert serving.parts.counters.dropped.total() == 0


@pytest.mark.parametrize("head", [True, False])
def test_an_unknown_reason_keeps_nothing_fails_nothing_and_is_told_once(
    head: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_told", False)
    mine = part(head)
    for _ in range(2):
        mine.keep("vip")
    assert (mine.kept, mine.reason) == (head, "head" if head else "")
    (line,) = caplog.records
    assert (line.levelname, vars(line)["event"]) == ("WARNING", "keep_reason_unknown")
    assert line.getMessage() == (
        "'vip' is no reason to keep a trace, and ignored: use one of deadline, error, disconnect, slow, downstream"
    )
    mine.keep("error")
    mine.settle()
    assert mine.reason == ("head" if head else "error")
