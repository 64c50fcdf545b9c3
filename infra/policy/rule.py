"""A rule: a plain function under a stable name. Its name and its sentence are those of the function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from infra.policy.declared import Declared
from infra.policy.finding import Finding

Level = Literal["mandatory", "advisory"]
Check = Callable[[Declared, str], Iterator[Finding]]
StackCheck = Callable[[Sequence[Declared], str], Iterator[Finding]]


@dataclass(frozen=True)
class Rule:
    """`each` judges one resource, before it is created; `whole` judges all of them, at the end. One of the two is set."""

    name: str
    description: str
    level: Level
    each: Check | None = None
    whole: StackCheck | None = None

    def findings(self, resources: Sequence[Declared], env: str) -> list[Finding]:
        """What the rule says of a stack called `env`."""
        if self.whole:
            return list(self.whole(resources, env))
        assert self.each
        return [finding for resource in resources for finding in self.each(resource, env)]


def each(check: Check, level: Level = "mandatory") -> Rule:
    """The rule of a function over one resource and the stack's name."""
    return Rule(_name(check), _sentence(check), level, each=check)


def whole(check: StackCheck, level: Level = "mandatory") -> Rule:
    """The rule of a function over all resources and the stack's name."""
    return Rule(_name(check), _sentence(check), level, whole=check)


def _name(check: Check | StackCheck) -> str:
    return check.__name__.replace("_", "-")


def _sentence(check: Check | StackCheck) -> str:
    assert check.__doc__, f"{check.__name__} needs a docstring: its first line is the rule's description"
    return check.__doc__.splitlines()[0].strip()
