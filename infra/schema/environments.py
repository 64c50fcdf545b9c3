"""Rules on a service's variables, plain (`env`) and secret (`secrets`): names, values, and what is no plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.environment import SET_HERE
from infra.schema.app_env import NOT_HERE, SECRET, VARIABLES, meant
from infra.schema.problem import HIDDEN, Problem

if TYPE_CHECKING:
    from infra.stack import Stack

_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")
_CREDENTIALS = re.compile(r"//[^/@\s:]*:[^/@\s]+@")


def environments(stack: Stack) -> Iterator[Problem]:
    """Variables have portable names, and leave alone those that infra/ or Cloud Run set."""
    for service_name, service in stack.services.items():
        for group, names in (("env", list(service.env)), ("secrets", list(service.secrets))):
            for name in names:
                key = f"blueprint:services.{service_name}.{group}"
                value = service.env[name] if group == "env" else service.secrets[name].secret
                yield from _name(key, name, value)
        for name in sorted(service.env.keys() & service.secrets.keys()):
            yield Problem(
                f"blueprint:services.{service_name}.env.{name}",
                HIDDEN,
                "absent, since secrets sets this variable too",
                f"remove it here, or from blueprint:services.{service_name}.secrets",
            )


def _name(group: str, name: str, value: str) -> Iterator[Problem]:
    key = f"{group}.{name}"
    if name in SET_HERE:
        must, remedy = "absent, since infra/ sets this variable", f"remove it; {SET_HERE[name]}"
        yield Problem(key, value, must, remedy)
    elif name.startswith("K_"):
        yield Problem(key, value, f"absent, {NOT_HERE['PORT']}", "remove it")
    elif name in NOT_HERE:
        yield Problem(key, value, f"absent, {NOT_HERE[name]}", "remove it")
    elif not _NAME.fullmatch(name):
        yield Problem(group, name, "a map of names in capitals, digits and underscores", "rename it")
    elif known := meant(name):
        yield Problem(
            group, name, f"a map of names that are not one slip away from {known}", f"write {known}"
        )


def settings(stack: Stack) -> Iterator[Problem]:
    """The template's own variables hold what the application accepts, and no secret is written down."""
    for service_name, service in stack.services.items():
        for name, value in service.env.items():
            key = f"blueprint:services.{service_name}.env.{name}"
            if value and (SECRET.search(name) or _CREDENTIALS.search(value)):
                must = "absent, since a secret in plain text is read by all who read the stack file"
                remedy = f"put it into Secret Manager and name it under blueprint:services.{service_name}.secrets, or rename what is none"
                yield Problem(key, HIDDEN, must, remedy)
            elif value and name in VARIABLES and not VARIABLES[name].accepts(value):
                yield Problem(key, value, VARIABLES[name].must, f"change it in {stack.file}")
