"""Rules on names: what Google takes, and what keeps `<service>-calls-<service>` and its like unambiguous."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.schema.problem import Problem

if TYPE_CHECKING:
    from infra.stack import Stack

_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_VERBS = ("calls", "uses", "reads")


def names(stack: Stack) -> Iterator[Problem]:
    """Service accounts take 6 to 30 characters and buckets 3 to 63; `<service>-<stack>` and `<project>-<bucket>-<stack>` must fit."""
    for name in stack.services:
        if not _NAME.fullmatch(name) or not 6 <= len(stack.named(name)) <= 30:
            yield Problem(
                f"blueprint:services.{name}",
                stack.named(name),
                "6 to 30 lower-case letters, digits and hyphens together with the stack's name (a service account's limit)",
                "rename the service",
            )
    for name in stack.buckets:
        full = stack.bucket_name(name)
        if not _NAME.fullmatch(name) or not 3 <= len(full) <= 63 or "google" in full:
            yield Problem(
                f"blueprint:buckets.{name}",
                full,
                "3 to 63 lower-case letters, digits and hyphens without the word google, project and stack included",
                "rename the bucket",
            )


def ambiguities(stack: Stack) -> Iterator[Problem]:
    """A grant is called `<service>-<verb>-<other>`: with a verb in a service's name, two grants could share a name."""
    for name in stack.services:
        for word in _VERBS:
            if word in name.split("-"):
                yield Problem(
                    f"blueprint:services.{name}",
                    name,
                    f"free of the words {', '.join(_VERBS)}, of which the names of grants are made",
                    "rename the service",
                )
