"""Rules that keep data from being destroyed by accident, or for less time than Cloud Storage offers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.schema.problem import Problem

if TYPE_CHECKING:
    from infra.stack import Stack


def undeletes(stack: Stack) -> Iterator[Problem]:
    """Cloud Storage keeps deleted objects for 7 days at least, or not at all."""
    for name, bucket in stack.buckets.items():
        if 0 < bucket.soft_delete_days < 7:
            yield Problem(
                f"blueprint:buckets.{name}.soft_delete_days",
                bucket.soft_delete_days,
                "0, or 7 to 90",
                f"change it in {stack.file}",
            )


def destructions(stack: Stack) -> Iterator[Problem]:
    """In production a bucket never takes its objects with it."""
    for name, bucket in stack.buckets.items():
        if stack.is_production and bucket.force_destroy:
            yield Problem(
                f"blueprint:buckets.{name}.force_destroy",
                True,
                f"false in stack {stack.env}",
                "remove it; empty the bucket yourself before you destroy it",
            )
