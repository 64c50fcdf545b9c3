"""What a figure is: its name in the JSON, its words in the table, and how it is measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.ratios import Relation, Samples
from bench.run import Run


@dataclass(frozen=True)
class Figure:
    """One row of the table. `unit` is that of the samples, before they are related to bare's.

    `also` names rows that the same measurement yields, with their titles: samples under `part(variant, name)`, as they are.
    """

    name: str
    title: str
    meaning: str
    unit: str
    relation: Relation
    measure: Callable[[Run], Samples]
    target: str = ""
    contract: bool = True
    also: Mapping[str, str] = field(default_factory=dict)


def part(variant: str, name: str) -> str:
    """The key of the samples of a variant for a row in `also`."""
    return f"{variant} {name}"
