"""Extra labels: Google's syntax, and none that the stack sets itself.

Source: docs.cloud.google.com/resource-manager/docs/labels-overview ("Requirements for labels"); letters are kept to ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from infra.schema.problem import Problem

if TYPE_CHECKING:
    from infra.stack import Stack

RESERVED = ("environment", "managed-by", "service", "bucket", "cross-region", "sampling")
_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_MOST = 60  # of 64 that a resource takes: the stack sets some, and so does Pulumi


def labels(stack: Stack) -> Iterator[Problem]:
    """Of the stack and of each service."""
    yield from _labels("blueprint:labels", stack.labels)
    for name, service in stack.services.items():
        yield from _labels(f"blueprint:services.{name}.labels", service.labels)
        if len(all_of := stack.labels | service.labels) > _MOST:
            must = f"at most {_MOST} together with blueprint:labels"
            yield Problem(f"blueprint:services.{name}.labels", len(all_of), must, "remove some")


def _labels(group: str, given: Mapping[str, str]) -> Iterator[Problem]:
    for name, value in given.items():
        key = f"{group}.{name}"
        if name in RESERVED:
            yield Problem(key, value, "absent, since infra/ sets this label", "remove it, or rename it")
        elif not _KEY.fullmatch(name) or name.startswith("goog"):
            must = "1 to 63 lower-case letters, digits, hyphens and underscores, beginning with a letter and not with goog"
            yield Problem(group, name, f"a map whose keys are {must}", "rename the label")
        elif not _VALUE.fullmatch(value):
            must = "at most 63 lower-case letters, digits, hyphens and underscores"
            yield Problem(key, value, must, "write it so, for example with hyphens")
