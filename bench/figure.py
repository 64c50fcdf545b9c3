"""What a figure is: its name in the JSON, its words in the table, and how it is measured."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.ratios import Relation, Samples
from bench.run import Run


@dataclass(frozen=True)
class Figure:
    """One row of the table. `unit` is that of the samples, before they are related to bare's."""

    name: str
    title: str
    meaning: str
    unit: str
    relation: Relation
    measure: Callable[[Run], Samples]
    target: str = ""
