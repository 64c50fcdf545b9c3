"""Which names a new service may have: the rules of the stack files, and those of the directory that it gets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from infra.schema.ci_rules import OWN_ACCOUNTS
from infra.schema.names import ambiguities, names
from infra.schema.service import ServiceConfig
from infra.stack import Stack
from ops.errors import OperatorError
from ops.newservice.stacktext import SERVICES
from ops.stackfile import Config

RESERVED = {
    "app": "the image of the template has this name",
    "local": "the working tree has this name in stack local",
    **dict.fromkeys(OWN_ACCOUNTS, "CI's own account has this name"),
}
_PATTERN = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")


def check(name: str, root: Path, stacks: Mapping[str, Config]) -> None:
    """Raises `OperatorError` with all that is wrong with `name` in the stacks, by name, and in `root`."""
    if found := list(dict.fromkeys(_problems(name, root, stacks))):
        raise OperatorError("\n".join(found))


def _problems(name: str, root: Path, stacks: Mapping[str, Config]) -> Iterable[str]:
    if not _PATTERN.fullmatch(name):
        yield (
            f"The name {name!r} must be lower-case letters, digits and hyphens, a letter first and no hyphen last; "
            "choose another."
        )
        return  # what follows would say it again for each stack
    if reason := RESERVED.get(name) or _no_text(name):
        yield f"The name {name!r} is taken: {reason}; choose another."
    for env in sorted({max(stacks, key=len), min(stacks, key=len)}):
        yield from _in_a_stack(name, env)
    if taken := [env for env, config in stacks.items() if name in (config.get(SERVICES) or {})]:
        yield f"The name {name!r} is taken: it is a service of stack {', '.join(taken)}; choose another."
    if (root / "services" / name).exists():
        yield f"services/{name} exists, and nothing is overwritten; choose another name, or remove it."


def _no_text(name: str) -> str:
    return "" if yaml.safe_load(name) == name else "YAML reads it as something else than text"


def _in_a_stack(name: str, env: str) -> Iterable[str]:
    """Google's limits hold with the stack's name behind it, so its longest and its shortest decide."""
    stack = Stack.model_construct(env=env, services={name: ServiceConfig()}, buckets={})
    for rule in (names, ambiguities):
        yield from map(str, rule(stack))
