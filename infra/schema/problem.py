"""A mistake in a stack file as one sentence: key, value, what is allowed, remedy."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from infra.schema.app_env import SECRET
from infra.schema.model import Model

HIDDEN = object()
"""Stands for a value that may be a secret."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with one key. `value` None means that the key is missing, `HIDDEN` that it is not for every eye."""

    key: str
    value: Any
    must: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.key} is {_shown(self.value)}, but must be {self.must}; {self.remedy}."


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    if value is HIDDEN:
        return "(hidden)"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "…"


_SECRET_KEYS = re.compile(
    r"blueprint:notify(?!\.emails(\.|$))(\.|$).*"
    r"|blueprint:services\.[^.]+\.secrets(\.[^.]+(\.secret)?)?"
)


def hidden(problem: Problem, secret: Collection[str]) -> Problem:
    """The problem, without its value if that may be a secret: by its place, or as Pulumi marks one of the keys `secret`."""
    key = problem.key
    variable = key.partition(".env.")[2]
    is_secret = key.partition(".")[0] in secret or _SECRET_KEYS.fullmatch(key) or SECRET.search(variable)
    return replace(problem, value=HIDDEN) if is_secret and problem.value is not None else problem


def unknown_key(key: str, name: str, allowed: list[str]) -> Problem:
    """A key that nothing reads, with the nearest one that exists."""
    near = difflib.get_close_matches(name, allowed, n=1)
    remedy = f"write {near[0]}" if near else "remove it"
    return Problem(key, name, f"one of {', '.join(sorted(allowed))}", remedy)


def problems(
    error: ValidationError, root: type[Model], keys: Mapping[str, str], remedy: str
) -> Iterator[Problem]:
    """What pydantic found, in our words. `keys` names the top-level fields that are not in namespace `blueprint`."""
    for detail in error.errors(include_url=False):
        path = [str(step) for step in detail["loc"]]
        if not path:
            yield Problem("blueprint", "a value", "valid Unicode text", remedy)
            continue
        key = ".".join([keys.get(path[0], f"blueprint:{path[0]}"), *path[1:]])
        owner, field, kind = _walk(root, path)
        if detail["type"] == "extra_forbidden":
            yield unknown_key(key, path[-1], list(owner.model_fields))
        else:
            value = None if detail["type"] == "missing" else detail["input"]
            must = (
                f"a map of {', '.join(kind.model_fields)}"
                if _is_model(kind)
                else str(field and field.description)
            )
            yield Problem(key, value, must, remedy)


def _walk(root: type[Model], path: list[str]) -> tuple[type[Model], FieldInfo | None, Any]:
    """At the end of `path`: the innermost model, its field on the way (if it has such a field), and the type expected."""
    owner: type[Model] = root
    field: FieldInfo | None = None
    kind: Any = root
    for step in path:
        if _is_model(kind):
            owner, field = kind, kind.model_fields.get(step)
            kind = _required(field.annotation) if field else None
        else:  # a key of a map, or an index of a list: its name says nothing about the type below
            kind = next((part for part in get_args(kind)[::-1] if part is not ...), None)
    return owner, field, kind


def _required(kind: Any) -> Any:
    """The model of `Model | None`; any other type as it is."""
    if get_origin(kind) in (Union, UnionType):
        return next((part for part in get_args(kind) if _is_model(part)), kind)
    return kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model)
