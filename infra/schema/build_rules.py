"""Rules of `blueprint:build`: an image that Pulumi builds is for development only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.schema.problem import Problem

if TYPE_CHECKING:
    from infra.stack import Stack


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
