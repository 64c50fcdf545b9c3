"""Which image a service runs: the same bytes in every environment that matters, so these take a digest only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.schema.problem import Problem

if TYPE_CHECKING:
    from infra.stack import Stack

_PLACEHOLDER = re.compile(r"PROJECT_ID|^REGION-|:TAG$|@sha256:DIGEST$")
_DIGEST = re.compile(r"\S+@sha256:[0-9a-f]{64}")
_TAG_OR_DIGEST = re.compile(r"[^\s@]+:\w[\w.-]{0,127}|\S+@sha256:[0-9a-f]{64}")


def images(stack: Stack) -> Iterator[Problem]:
    """A real environment names the image it runs, or builds it; only `local` has the working tree to run."""
    if stack.is_local:
        return
    allowed = _TAG_OR_DIGEST if stack.is_development else _DIGEST
    must = "an image with a tag or digest" if stack.is_development else "an image by digest (…@sha256:…)"
    for name, service in stack.services.items():
        key, image = f"blueprint:services.{name}.image", service.image
        if image is None and stack.build:
            continue
        if image is None or image == "local":
            remedy = f"build one, push it, and set {key}"
            if stack.is_development:
                remedy += ", or set blueprint:build to true"
            yield Problem(key, image, f"{must} (only stack local runs the working tree)", remedy)
        elif _PLACEHOLDER.search(image):
            yield Problem(
                key, image, f"{must} of your own, not the placeholder", f"replace it in {stack.file}"
            )
        elif not allowed.fullmatch(image):
            remedy = (
                "name the version you pushed"
                if stack.is_development
                else "name the digest that CI pushed and tested"
            )
            yield Problem(key, image, must, f"{remedy} in {stack.file}")
