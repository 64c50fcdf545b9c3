"""Statistics of the benchmark: rounds are compared within themselves, and the median of the ratios counts."""

import pytest

from bench.ratios import Relation, per_round, summary

KEYS = ("bare", "textbook", "ours")


def test_a_round_is_compared_with_bare_of_the_same_round() -> None:
    """A machine that halves its speed between rounds changes no ratio: the median is of ratios, not a ratio of medians."""
    samples = {"bare": [1000, 500, 100], "ours": [100, 450, 90]}
    assert summary(samples, Relation.RATIO, KEYS) == {
        "bare": 1.0,
        "textbook": None,
        "ours": 0.9,
        "min": 0.1,
        "max": 0.9,
        "rounds": 3,
    }


@pytest.mark.parametrize(
    ("relation", "expected"),
    [(Relation.RATIO, [1.5, 2.0]), (Relation.DIFFERENCE, [1, 2]), (Relation.ITSELF, [3, 4])],
)
def test_relations(relation: Relation, expected: list[float]) -> None:
    """Ratios divide, memory subtracts, and shares and counts stand for themselves."""
    assert per_round({"bare": [2, 2], "ours": [3, 4]}, relation, "ours") == expected


def test_figures_without_bare_need_none() -> None:
    """A share has no bare: its place is null, and min and max are still those of ours."""
    values = summary({"textbook": [0.1], "ours": [1.0]}, Relation.ITSELF, KEYS)
    assert values == {"bare": None, "textbook": 0.1, "ours": 1.0, "min": 1.0, "max": 1.0, "rounds": 1}


def test_without_ours_there_is_no_spread() -> None:
    """`--variants textbook` still gives a figure."""
    values = summary({"bare": [1.0], "textbook": [2.0]}, Relation.RATIO, KEYS)
    assert (values["textbook"], values["ours"], values["min"], values["max"]) == (2.0, None, None, None)


def test_rounds_that_are_not_aligned_are_refused() -> None:
    """A variant with a round less cannot be compared silently."""
    with pytest.raises(ValueError, match="longer"):
        per_round({"bare": [1, 2], "ours": [1]}, Relation.RATIO, "ours")
