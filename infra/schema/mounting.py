"""Rules on secrets that are files: a mounted secret takes a whole directory, and hides what the image has there.

Source: docs.cloud.google.com/run/docs/configuring/services/secrets ("Disallowed paths and limitations").
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from infra.schema.problem import Problem

if TYPE_CHECKING:
    from infra.stack import Stack

_IMAGE = frozenset((
    "app", "bin", "boot", "dev", "etc", "home", "lib", "lib64", "opt", "proc", "root", "run", "sbin", "srv", "sys", "tmp",
    "usr", "var", "venv",
))  # fmt: skip
"""Directories of the image, `/srv` (the application) and `/venv` (its packages) among them, and of the platform."""


def mounts(stack: Stack) -> Iterator[Problem]:
    """Each file is in a directory of its own, in no other's, and in none of the image."""
    for service_name, service in stack.services.items():
        seen: list[tuple[PurePosixPath, str]] = []
        for name, secret in sorted(service.secrets.items()):
            if secret.file is None:
                continue
            key = f"blueprint:services.{service_name}.secrets.{name}.file"
            directory = PurePosixPath(secret.file).parent
            if directory.parts[1] in _IMAGE or ".." in directory.parts:
                must = "a file in a directory that the image does not have, such as /secrets/api/key"
                yield Problem(key, secret.file, must, "move it, as mounting hides what is there")
            for other, owner in seen:
                if directory.is_relative_to(other) or other.is_relative_to(directory):
                    must = f"a file in a directory of its own ({owner} is mounted at {other}, and Cloud Run mounts one secret at a path)"
                    yield Problem(
                        key, secret.file, must, "give each file its own directory, such as /secrets/api/key"
                    )
            seen.append((directory, name))
