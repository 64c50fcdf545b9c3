"""Which values a refusal does not show: it is read in terminals, logs of CI and comments of pull requests."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from infra.schema.problem import EMPTY, HIDDEN, Problem
from infra.schema.secrecy import before_secret, is_secret_name, looks_secret

# A service's name may have dots, so what is between is anything.
_SECRETS = re.compile(r"blueprint:notify(\..*)?|blueprint:services\..*\.secrets(\..*)?", re.DOTALL)
_NAMED = re.compile(r"blueprint:(?:services\..*\.env|services\..*\.labels|labels)\.(.*)", re.DOTALL)
# What is shown although it is where secrets are, or may be: what has the shape that was asked for.
_SHOWN = {
    re.compile(r"blueprint:notify\.emails\.[0-9]+"): re.compile(r"[^\s@/:=]+@[^\s@/:=]+"),
    re.compile(r"blueprint:services\..*\.env_accepted(\..*)?", re.DOTALL): re.compile(r"[A-Z_][A-Z0-9_]*"),
}


def hidden(problem: Problem, secret: Collection[str]) -> Problem:
    """The problem, without its value if that may be a secret: by its place, by what it looks like, or as Pulumi marks one
    of the keys `secret`. Nor do names in its key, or in its other words, show one.
    """
    shown = replace(problem, key=_cut(problem.key), must=_cut(problem.must), remedy=_cut(problem.remedy))
    if problem.value in (None, EMPTY, HIDDEN, {}, [], ""):
        return shown
    is_hidden = (
        problem.key.partition(".")[0] in secret
        or _is_place(problem.key, problem.value)
        or looks_secret(problem.value)
    )
    return replace(shown, value=HIDDEN) if is_hidden else shown


def hidden_input(problem: Problem, path: Sequence[str]) -> Problem:
    """The same for a value as it was written at `path`: of the wrong shape, it may hold whatever belongs further down."""
    above = path[0] == "services" and (len(path) <= 2 or path[2] == "env")
    found = problem.value not in (None, EMPTY, {}, [], "") and above
    return replace(problem, value=HIDDEN) if found else problem


def _is_place(key: str, value: Any) -> bool:
    """Whether a secret belongs there, or the key's last name is a secret's."""
    for place, shape in _SHOWN.items():
        if place.fullmatch(key):
            return not (isinstance(value, str) and shape.fullmatch(value))
    named = _NAMED.fullmatch(key)
    return _SECRETS.fullmatch(key) is not None or (named is not None and is_secret_name(named[1]))


def _cut(text: str) -> str:
    """Without what looks like a secret, and all that follows it."""
    before = before_secret(text)
    return text if before is None else f"{before}(hidden)"
