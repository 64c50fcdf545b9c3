"""What a rule says of a value: a violation, or that it cannot tell yet. Nothing means that all is well."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from infra.policy.declared import UNKNOWN, Declared


@dataclass(frozen=True)
class Violation:
    """A value that the rule forbids. `value` None means that it is missing."""

    resource: Declared
    path: str
    value: Any
    must: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.resource.name}: {self.path} is {_shown(self.value)}, but must be {self.must}; {self.remedy}."


@dataclass(frozen=True)
class Undecided:
    """A value that is not known yet. The pack reports it as advice; during `pulumi up` the rule runs again and decides."""

    resource: Declared
    path: str

    def __str__(self) -> str:
        return f"{self.resource.name}: {self.path} is known only after deployment; it is judged then."


Finding = Violation | Undecided


def expect(
    resource: Declared, path: str, allowed: Callable[[Any], bool], must: str, remedy: str
) -> Iterator[Finding]:
    """Nothing where the value at `path` is `allowed`, which is asked about any value but UNKNOWN."""
    yield from judge(resource, path, resource.at(path), allowed, must, remedy)


def judge(
    resource: Declared, path: str, value: Any, allowed: Callable[[Any], bool], must: str, remedy: str
) -> Iterator[Finding]:
    """The same for a value that `path` describes but does not lead to, such as one environment variable of a list."""
    if value is UNKNOWN:
        yield Undecided(resource, path)
    elif not allowed(value):
        yield Violation(resource, path, value, must, remedy)


def is_true(value: Any) -> bool:
    """Whether it was said, and said with a boolean."""
    return value is True


def is_text(value: Any) -> bool:
    """Whether there is any text."""
    return isinstance(value, str) and bool(value.strip())


def _shown(value: Any) -> str:
    """Numbers arrive as floating point from the engine: 20 must not be shown as 20.0."""
    if value is None:
        return "missing"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:79] + "…"
