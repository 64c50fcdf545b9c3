"""The stack file, judged as `pulumi up` judges it: every mistake a line, with what mends it. Needs neither Pulumi nor network."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.stack import Stack, StackRefused, parse, stack_file
from ops import stackfile
from ops.checks import Check
from ops.errors import OperatorError

SECRET = "decrypted"
"""Stands for what only Pulumi can decrypt."""


@dataclass(frozen=True)
class Read:
    """What a stack file gave: the stack, or None and why."""

    stack: Stack | None
    checks: tuple[Check, ...]


def read(root: Path, env: str, project: str | None) -> Read:
    """`project` stands in for the file's `gcp:project`."""
    try:
        config = stackfile.load(root, env)
    except OperatorError as error:
        return Read(None, (_unreadable(env, str(error)),))
    values = {key: _readable(value) for key, value in config.items() if not _is_secret(value)}
    declared = {
        key.removeprefix("blueprint:"): value for key, value in values.items() if key.startswith("blueprint:")
    }
    secret = [key for key, value in config.items() if _holds_secret(value)]
    try:
        stack = parse(env, project or values.get("gcp:project"), values.get("gcp:region"), declared, secret)
    except StackRefused as error:
        return Read(None, tuple(_mistake(env, line) for line in str(error).splitlines()))
    return Read(stack, (_summary(stack), locations(stack)))


def title(root: Path, env: str, project: str | None) -> str:
    """What is looked at, in the words of `verify`; without the project if the file does not tell it."""
    with contextlib.suppress(OperatorError):
        told = stackfile.load(root, env).get("gcp:project")
        project = project or (told if isinstance(told, str) else None)
    return f"Stack {env}, project {project}" if project else f"Stack {env}"


def locations(stack: Stack) -> Check:
    """Where the buckets are; the schema refuses one elsewhere that does not say why."""
    places = {name: (bucket.location or stack.region).lower() for name, bucket in stack.buckets.items()}
    apart = [f"{name} in {place}" for name, place in places.items() if place != stack.region]
    detail = f"{stack.region}, and every bucket there"
    return Check("region", True, f"{stack.region}; with a reason {', '.join(apart)}" if apart else detail)


def _summary(stack: Stack) -> Check:
    services, buckets = len(stack.services), len(stack.buckets)
    return Check(
        "stack file", True, f"{stack.file}: project {stack.project}, {services} services, {buckets} buckets"
    )


def _mistake(env: str, sentence: str) -> Check:
    """A sentence of `infra.schema.problem.Problem`: what is wrong; what mends it."""
    detail, _, remedy = sentence.rstrip(".").rpartition("; ")
    key = sentence.partition(" ")[0]
    if key in ("gcp:project", "gcp:region"):
        remedy = f"pulumi config set {key} {key.removeprefix('gcp:').upper()} --stack {env}   # {remedy}"
    elif key.startswith("blueprint:") and stack_file(env) not in remedy:
        remedy = f"in {stack_file(env)}: {remedy}"
    return Check("stack file", False, detail or sentence, remedy)


def _unreadable(env: str, sentence: str) -> Check:
    detail, _, remedy = sentence.rstrip(".").rpartition("; ")
    if "There is no stack" in sentence:
        return Check(
            "stack file",
            False,
            sentence.rstrip("."),
            ".venv/bin/blueprint doctor --stack dev   # or another of these",
        )
    return Check("stack file", False, detail, f"{remedy}: {stack_file(env)}")


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"secure"}


def _holds_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return _is_secret(value) or any(map(_holds_secret, value.values()))
    return isinstance(value, list) and any(map(_holds_secret, value))


def _readable(value: Any) -> Any:
    if _is_secret(value):
        return SECRET
    if isinstance(value, dict):
        return {key: _readable(entry) for key, entry in value.items()}
    return [_readable(entry) for entry in value] if isinstance(value, list) else value
