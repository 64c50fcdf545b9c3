"""A key that nothing reads, and the one that was probably meant: another spelling, or the same name in another place."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from typing import Any, get_args

from infra.schema.model import Model
from infra.schema.problem import Problem

_SPELLING, _LIKENESS = 0.8, 0.6
"""Likeness (difflib, 0 to 1) of a misspelt name, and of one that is at least worth naming."""


def unknown_key(key: str, name: str, allowed: list[str], places: Mapping[str, str] | None = None) -> Problem:
    """The problem. `places` says where names are at home that are not allowed here (`homes`)."""
    return Problem(key, name, f"one of {', '.join(sorted(allowed))}", _remedy(name, allowed, places or {}))


def _remedy(name: str, allowed: list[str], places: Mapping[str, str]) -> str:
    if near := _close(name, allowed, _SPELLING) or _ending(name, allowed) or _beginning(name, allowed):
        return f"write {near[0]}"
    if name in places:
        return f"move it to {places[name]}"
    if near := _containing(name, allowed) or _close(name, allowed, _LIKENESS):
        return f"write {near[0]}"
    near = _containing(name, list(places))
    return f"move it to {places[near[0]]}" if near else "remove it"


def _close(name: str, known: list[str], likeness: float) -> list[str]:
    return difflib.get_close_matches(name, known, n=1, cutoff=likeness)


def _ending(name: str, known: list[str]) -> list[str]:
    """Those of which `name` is the last word, as `ratio` is of `sample_ratio`."""
    return [each for each in known if each.endswith(f"_{name}")]


def _beginning(name: str, known: list[str]) -> list[str]:
    """Those that `name` abbreviates, as `repo` does, or spells out, as `environment` does with `env`."""
    return [
        each
        for each in known
        if min(len(name), len(each)) > 2 and (each.startswith(name) or name.startswith(each))
    ]


def _containing(name: str, known: list[str]) -> list[str]:
    """Those of which `name` is any word."""
    return [each for each in known if name in each.split("_")]


def homes(root: type[Model], keys: Collection[str]) -> dict[str, str]:
    """Where each name below `keys` of `root` belongs, such as `blueprint:tracing.sample_ratio`; names of two places have one."""
    found: dict[str, str] = {"project": "gcp:project", "region": "gcp:region"}
    for name in keys:
        found.setdefault(name, f"blueprint:{name}")
    for name in keys:
        for below, place in _below(root.model_fields[name].annotation, f"blueprint:{name}"):
            found.setdefault(below, place)
    return found


def _below(kind: Any, place: str) -> Iterator[tuple[str, str]]:
    """The fields of all models within a type: those of a map or a list are below a name."""
    if isinstance(kind, type) and issubclass(kind, Model):
        yield from ((name, f"{place}.{name}") for name in kind.model_fields)
        for name, field in kind.model_fields.items():
            yield from _below(field.annotation, f"{place}.{name}")
    else:
        many = getattr(kind, "__origin__", None) in (dict, tuple)
        for part in get_args(kind):
            yield from _below(part, f"{place}.<name>" if many else place)
