"""Which values a refusal does not show: it is read in terminals, logs of CI and comments of pull requests."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from infra.schema.app_env import SECRET
from infra.schema.problem import EMPTY, HIDDEN, Problem

_SECRETS = re.compile(
    r"blueprint:notify(?!\.emails(\.|$))(\.|$).*"
    r"|blueprint:services\.[^.]+\.secrets(\.[^.]+(\.secret)?)?"
)
_ABOVE = re.compile(r"blueprint:services(\.[^.]+)?|blueprint:services\.[^.]+\.env(\..*)?|blueprint:notify")
_CREDENTIALS = re.compile(r"//[^/\s]+@")
_ASSIGNED = re.compile(r"([A-Za-z0-9_-]+)([\"']?\s*=\s*|[\"']?\s*:\s+|[\"']\s*:\s*)\S")


def hidden(problem: Problem, secret: Collection[str]) -> Problem:
    """The problem, without its value if that may be a secret: by its place, by what it looks like, or as Pulumi marks one
    of the keys `secret`.
    """
    if problem.value in (None, EMPTY, HIDDEN):
        return problem
    key, variable = problem.key, problem.key.partition(".env.")[2]
    is_secret = key.partition(".")[0] in secret or _SECRETS.fullmatch(key) or _is_secret_name(variable)
    return replace(problem, value=HIDDEN) if is_secret or _looks_secret(problem.value) else problem


def hidden_input(problem: Problem) -> Problem:
    """The same for a value as it was written: of the wrong shape, it may hold whatever belongs further down."""
    found = problem.value not in (None, EMPTY, {}, [], "") and _ABOVE.fullmatch(problem.key)
    return replace(problem, value=HIDDEN) if found else problem


def _looks_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_is_secret_name(str(key)) or _looks_secret(below) for key, below in value.items())
    if isinstance(value, list | tuple):
        return any(_looks_secret(below) for below in value)
    if not isinstance(value, str):
        return False
    assigned = any(_is_secret_name(found[1]) for found in _ASSIGNED.finditer(value))
    return assigned or _CREDENTIALS.search(value) is not None


def _is_secret_name(name: str) -> bool:
    """However it is written: `API_KEY`, `api-key`, `apiKey`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|-", "_", name)
    return SECRET.search(words.upper()) is not None
