"""What pydantic finds in a stack file, in our words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from infra.schema.hiding import hidden_input
from infra.schema.model import Model
from infra.schema.problem import EMPTY, Problem
from infra.schema.unknown import unknown_key


class _Place(NamedTuple):
    """The end of a path: the innermost model on the way, the type expected, what it must be, and whether a name leads there."""

    owner: type[Model]
    kind: Any
    must: str
    named: bool


def problems(
    error: ValidationError,
    root: type[Model],
    keys: Mapping[str, str],
    remedy: str,
    places: Mapping[str, str],
) -> Iterator[Problem]:
    """A sentence each. `keys` names the top-level fields that are not in namespace `blueprint`; `places` as for `unknown_key`."""
    for detail in error.errors(include_url=False):
        path = [str(step) for step in detail["loc"]]
        if not path:
            yield Problem("blueprint", "a value", "valid Unicode text", remedy)
            continue
        key = ".".join([keys.get(path[0], f"blueprint:{path[0]}"), *path[1:]])
        place = _walk(root, path)
        if detail["type"] == "extra_forbidden":
            yield unknown_key(key, path[-1], list(place.owner.model_fields), places)
        elif detail["type"] == "missing":
            yield Problem(key, None, place.must, remedy)
        elif detail["input"] is None:
            yield Problem(key, EMPTY, place.must, f"write {_nothing(place.kind)} or remove it")
        else:
            nameless = place.named and path[-1] in place.kind.model_fields
            above, _, field = key.rpartition(".")
            named = f"give it a name of your own: {above}.<name>.{field}"
            problem = Problem(key, detail["input"], place.must, named if nameless else remedy)
            yield hidden_input(problem, path)


def _walk(root: type[Model], path: list[str]) -> _Place:
    place = _Place(root, root, "", False)
    for step in path:
        place = _into(place, step)
    return place


def _into(place: _Place, step: str) -> _Place:
    if _is_model(place.kind):
        field = place.kind.model_fields.get(step)
        kind = _required(field.annotation) if field else None
        return _Place(place.kind, kind, _must(kind, str(field and field.description)), False)
    # A key of a map, or an index of a list: its name says nothing about the type below.
    kind = next((part for part in get_args(place.kind)[::-1] if part is not ...), None)
    must = next(
        (
            str(part.description)
            for part in get_args(kind)
            if isinstance(part, FieldInfo) and part.description
        ),
        f"text, in {place.must}",
    )
    named = get_origin(place.kind) is dict and _is_model(kind)
    return _Place(place.owner, kind, _must(kind, must), named)


def _must(kind: Any, described: str) -> str:
    return f"a map of {', '.join(kind.model_fields)}" if _is_model(kind) else described


def _nothing(kind: Any) -> str:
    """What stands for "with defaults", or for none."""
    if get_origin(kind) is Annotated:
        return _nothing(get_args(kind)[0])
    if _is_model(kind) or get_origin(kind) is dict:
        return "{}"
    if get_origin(kind) is tuple:
        return "[]"
    return '""' if kind is str else "a value"


def _required(kind: Any) -> Any:
    """The model of `Model | None`; any other type as it is."""
    if get_origin(kind) in (Union, UnionType):
        return next((part for part in get_args(kind) if _is_model(part)), kind)
    return kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Model)
