"""Pages of a list that grows while it is read: a token names the last item given, not a position."""

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from heapq import nlargest, nsmallest
from typing import Any, TypeVar

Item = TypeVar("Item")


def page(
    items: Iterable[Item],
    key: Callable[[Item], list[Any]],
    *,
    size: int,
    token: str | None = None,
    descending: bool = False,
) -> tuple[list[Item], str | None]:
    """The next `size` items by `key`, which must be unique and JSON, and the token of the page after (or None).

    Takes one item after the other and holds no more than a page. Raises ValueError for a token that it did not make.
    """
    begun = _after(items, key, token, descending) if token else items
    ordered = (nlargest if descending else nsmallest)(size + 1, begun, key=key)
    chosen = ordered[:size]
    more = len(ordered) > len(chosen)
    return chosen, base64.urlsafe_b64encode(json.dumps(key(chosen[-1])).encode()).decode() if more else None


def page_size(text: object, default: int, most: int) -> int:
    """A page size as Google reads it: nothing or zero means `default`, more than `most` means `most`."""
    size = int(str(text or 0))
    if size < 0:
        raise ValueError(f"page size {size} is negative")
    return min(size or default, most)


def _after(
    items: Iterable[Item], key: Callable[[Item], list[Any]], token: str, descending: bool
) -> Iterator[Item]:
    last = _decode(token)
    for item in items:
        try:
            later = key(item) < last if descending else key(item) > last
        except TypeError:
            raise ValueError(f"page token '{token}' is not valid") from None
        if later:
            yield item


def _decode(token: str) -> list[Any]:
    try:
        last = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, RecursionError):
        last = None
    if not isinstance(last, list):
        raise ValueError(f"page token '{token}' is not valid")
    return last
