"""From samples to figures: each round is compared within itself, and the median of its ratios is what counts."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from statistics import median

# Per variant one value per round; the rounds of all variants are aligned.
Samples = Mapping[str, Sequence[float]]
Values = dict[str, float | int | None]


class Relation(Enum):
    """How a round's value becomes its figure."""

    RATIO = "divided by bare's of the same round"
    DIFFERENCE = "minus bare's of the same round"
    ITSELF = "as it is"


def per_round(samples: Samples, relation: Relation, variant: str) -> list[float]:
    """The figure of each round; none if the variant was not run."""
    own = samples.get(variant)
    if not own:
        return []
    if relation is Relation.ITSELF:
        return list(own)
    pairs = zip(own, samples["bare"], strict=True)
    return [value / base if relation is Relation.RATIO else value - base for value, base in pairs]


def summary(samples: Samples, relation: Relation, variants: Sequence[str], spread_of: str = "ours") -> Values:
    """Each variant's median, and least, greatest and number of the rounds of `spread_of`; None for what was not run."""
    figures = {variant: per_round(samples, relation, variant) for variant in variants}
    values: Values = {variant: _rounded(median, found) for variant, found in figures.items()}
    spread = figures[spread_of]
    values |= {"min": _rounded(min, spread), "max": _rounded(max, spread)}
    values["rounds"] = max((len(found) for found in samples.values()), default=0)
    return values


def _rounded(of: Callable[[Sequence[float]], float], figures: Sequence[float]) -> float | None:
    return round(of(figures), 4) if figures else None
