"""Exceptions: a label `<exception>: reasoned` on the resource itself, where audits, bills and logs see it too.

The reason in words stands in the stack file, as labels take no sentences.
"""

from __future__ import annotations

from infra.policy.declared import Declared

REASONED = "reasoned"


def is_reasoned(resource: Declared, exception: str) -> bool:
    """Whether the resource is excepted. A label that is not known does not except."""
    return bool(resource.at(f"labels.{exception}") == REASONED)
