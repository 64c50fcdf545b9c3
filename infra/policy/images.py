"""Rule: what runs is what was tested."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from infra.policy.cloudrun import TEMPLATES, containers
from infra.policy.declared import Declared
from infra.policy.finding import Finding, expect
from infra.schema.tiers import is_development

_DIGEST = re.compile(r"^[^\s@]+@sha256:[0-9a-f]{64}\Z")


def image_digest(resource: Declared, env: str) -> Iterator[Finding]:
    """Outside development, images are named by digest, as a tag can come to mean something else; nothing is laid over them, nor built by Google."""
    if resource.type not in TEMPLATES or is_development(env):
        return
    over = ["buildConfig"]
    for container in containers(resource):
        path = f"{container}.image"
        yield from expect(
            resource, path, _is_fixed, "an image by @sha256: digest", "name the digest that CI pushed"
        )
        over += [f"{container}.sourceCode", f"{container}.baseImageUri"]
    # Each runs what is somewhere at the time, whatever image is named beside it.
    for path in over:
        yield from expect(resource, path, _is_left_out, "left out", "put the source into the image")


def _is_left_out(value: Any) -> bool:
    return value is None


def _is_fixed(image: Any) -> bool:
    return isinstance(image, str) and bool(_DIGEST.match(image))
