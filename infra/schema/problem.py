"""A mistake in a stack file as one sentence: key, value, what is allowed, remedy."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from infra.schema.model import Model


@dataclass(frozen=True)
class Problem:
    """What is wrong with one key. `value` None means that the key is missing."""

    key: str
    value: Any
    must: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.key} is {_shown(self.value)}, but must be {self.must}; {self.remedy}."


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "…"


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
            kind = field.annotation if field else None
        else:  # a key of a map, or an index of a list: its name says nothing about the type below
            kind = next((part for part in get_args(kind)[::-1] if part is not ...), None)
    return owner, field, kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model)
