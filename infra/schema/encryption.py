"""Rules on your own key (CMEK): a key serves the location it is in, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.schema.problem import Problem

if TYPE_CHECKING:
    from infra.stack import Stack


def keys(stack: Stack) -> Iterator[Problem]:
    """The key is in the stack's region, and no bucket is elsewhere."""
    if not stack.encryption_key:
        return
    location = stack.encryption_key.split("/")[3]
    if location != stack.region:
        yield Problem(
            "blueprint:encryption_key",
            stack.encryption_key,
            f"a key in the stack's region {stack.region}",
            f"make one there, since a key in {location} cannot encrypt what is in {stack.region}",
        )
    for name, bucket in stack.buckets.items():
        if bucket.location and bucket.location.lower() != location:
            yield Problem(
                f"blueprint:buckets.{name}.location",
                bucket.location,
                f"{location}, where blueprint:encryption_key is",
                "remove location, or encryption_key",
            )
