"""Rules of `blueprint:build`: an image that Pulumi builds is for development only, and there is something to build it from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from infra.schema.problem import Problem

if TYPE_CHECKING:
    from infra.stack import Stack


_ROOT = Path(__file__).parents[2]


def build(stack: Stack) -> Iterator[Problem]:
    """Refused where the digest was tried before, where there is no registry, and where nothing would use the image."""
    key = "blueprint:build"
    if not stack.build:
        return
    if not stack.is_development:
        yield Problem(
            key,
            True,
            f"false in {stack.env}, which takes the digest that ran before",
            "remove it, and name the image by its digest",
        )
    elif stack.is_local:
        yield Problem(key, True, "false in stack local, which runs the working tree", "remove it")
    elif stack.services and all(service.image for service in stack.services.values()):
        yield Problem(
            key,
            True,
            "false where every service names an image",
            "remove it, or the `image` of a service that shall run the built one",
        )


def sources(stack: Stack) -> Iterator[Problem]:
    """What is built has a Dockerfile, and no fork's image has the name of the template's."""
    for name, service in stack.services.items():
        key, source = f"blueprint:services.{name}.source", service.source
        if source == "services/app":
            yield Problem(key, source, "another directory, since app is the template's image", "rename it")
        elif stack.build and source and not service.image and not (_ROOT / source / "Dockerfile").is_file():
            must = "a directory of the repository that holds a Dockerfile"
            yield Problem(key, source, must, "correct it, or make one with `blueprint new-service`")
