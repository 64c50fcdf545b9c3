"""A listing's page: names in order, those with a common part folded into one prefix."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from localcloud.storage.records import Resource


@dataclass(frozen=True)
class Page:
    """`next` is the last entry shown when more follow."""

    items: list[Resource] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    next: str | None = None


def fold(rows: Iterable[tuple[str, str]], prefix: str, delimiter: str, after: str, limit: int) -> Page:
    """A page of (name, record) rows that come in order, none before `prefix` or up to the entry `after`."""
    page, last = Page(), after
    for name, record in rows:
        if not name.startswith(prefix):
            break
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        entry = name if cut < 0 else name[: cut + len(delimiter)]
        if cut >= 0 and entry == last:
            continue
        if len(page.items) + len(page.prefixes) == limit:
            return replace(page, next=last)
        if cut < 0:
            page.items.append(json.loads(record))
        else:
            page.prefixes.append(entry)
        last = entry
    return page
