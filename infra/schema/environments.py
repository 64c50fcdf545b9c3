"""Rules on a service's variables, plain (`env`) and secret (`secrets`): names, values, and what is no plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.environment import SET_HERE
from infra.schema.app_env import NOT_HERE, SECRET, UNREAD, VARIABLES, meant
from infra.schema.problem import HIDDEN, Problem
from infra.schema.secrecy import is_secret, looks_secret

if TYPE_CHECKING:
    from infra.stack import Stack

_NAME = re.compile(r"[A-Z_][A-Z0-9_]*|(http|https|all|no)_proxy")  # the proxies' are read in small letters


def environments(stack: Stack) -> Iterator[Problem]:
    """Variables have portable names, and leave alone those that infra/ or Cloud Run set."""
    for service_name, service in stack.services.items():
        for group, names in (("env", list(service.env)), ("secrets", list(service.secrets))):
            for name in names:
                key = f"blueprint:services.{service_name}.{group}"
                value = service.env[name] if group == "env" else service.secrets[name].secret
                yield from _name(key, name, value)
                if name not in service.env_accepted:
                    yield from _slip(key, name)
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
    elif name in UNREAD:
        yield Problem(
            key, value, "absent, since the application does not read it", f"remove it; {UNREAD[name]}"
        )


def _slip(group: str, name: str) -> Iterator[Problem]:
    if known := meant(name):
        must = f"a map of names that are not one slip away from {known}"
        remedy = f"write {known}, or list it under {group.rpartition('.')[0]}.env_accepted if it is meant"
        yield Problem(group, name, must, remedy)


def accepted(stack: Stack) -> Iterator[Problem]:
    """What is accepted is there; a name left over would let the next secret pass."""
    for service_name, service in stack.services.items():
        for index, name in enumerate(service.env_accepted):
            if name not in service.env.keys() | service.secrets.keys():
                key = f"blueprint:services.{service_name}.env_accepted.{index}"
                yield Problem(key, name, "a variable of env or secrets", "remove it, or correct the name")


def settings(stack: Stack) -> Iterator[Problem]:
    """The template's own variables hold what the application accepts, and no secret is written down."""
    for service_name, service in stack.services.items():
        for name, value in service.env.items():
            key = f"blueprint:services.{service_name}.env.{name}"
            guess = name not in service.env_accepted and (SECRET.search(name) or looks_secret(value))
            certain = is_secret(value)
            if value and (guess or certain):
                what = "a secret" if certain else "what looks like a secret"
                must = f"absent, since {what} in plain text is read by all who read the stack file"
                where = f"blueprint:services.{service_name}"
                remedy = f"put it into Secret Manager and name it under {where}.secrets"
                if not certain:
                    remedy += f", or list it under {where}.env_accepted if it is none"
                yield Problem(key, HIDDEN, must, remedy)
            elif value and name in VARIABLES and not VARIABLES[name].accepts(value):
                yield Problem(key, value, VARIABLES[name].must, f"change it in {stack.file}")
