"""Rules on `traffic`: a canary or a rollback that Cloud Run would refuse, or that would reach nobody.

The limit of a tag is said by Cloud Run itself: "Combined traffic tag and service name cannot exceed 46 characters".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from infra.schema.problem import Problem
from infra.schema.traffic import TrafficConfig

if TYPE_CHECKING:
    from infra.stack import Stack

_TAGGED = 46


def splits(stack: Stack) -> Iterator[Problem]:
    """The shares of each service."""
    for name, service in stack.services.items():
        if service.traffic:
            yield from _split(f"blueprint:services.{name}.traffic", stack.named(name), service.traffic)


def _split(key: str, service: str, shares: Sequence[TrafficConfig]) -> Iterator[Problem]:
    total = sum(share.percent for share in shares)
    if total != 100:
        yield Problem(f"the sum of {key}.*.percent", total, "100", "change the shares")
    for field in ("revision", "tag"):
        given = [getattr(share, field) for share in shares]
        for index, value in enumerate(given):
            if value is not None and value in given[:index]:
                must = f"named once (traffic.{given.index(value)} has it too)"
                yield Problem(f"{key}.{index}.{field}", value, must, "merge these shares, or rename one")
    for index, share in enumerate(shares):
        if share.revision != "latest" and not share.revision.startswith(f"{service}-"):
            must = f"latest, or a revision of this service such as {service}-00042-abc"
            yield Problem(f"{key}.{index}.revision", share.revision, must, "correct the name")
        if share.tag and len(share.tag) + len(service) > _TAGGED:
            must = f"at most {_TAGGED - len(service)} characters long beside {service}"
            yield Problem(f"{key}.{index}.tag", share.tag, must, "shorten it")
        if share.percent == 0 and share.tag is None:
            must = "above 0, or with a tag, as this revision would be reached by nobody"
            yield Problem(f"{key}.{index}.percent", 0, must, "remove the share, or give it a tag")
