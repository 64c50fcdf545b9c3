"""A service's part of one trace, kept or dropped as a whole: what it holds, and whether and why it is kept.

Not here: the bounds over all parts, and which span belongs to which part (`parts.py`).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from app.telemetry.keeping import HEAD, REASONS, is_known
from app.telemetry.outbox import Outgoing

if TYPE_CHECKING:
    from app.telemetry.parts import Parts


class Part:
    """`kept` says whether spans go out. Called from any thread; a reason given twice counts once."""

    # Nearly every part ends without any of these being set: they cost nothing here.
    settled = _refused = False
    _reasons: set[str] | None = None
    held: deque[Outgoing] | None = None  # made by `Parts.hold`

    def __init__(self, parts: Parts, head: bool, root_id: int = 0) -> None:
        # `root_id` is the span that began it where that is no server span, else 0.
        self._parts, self.head, self.kept, self.root_id = parts, head, head, root_id

    @property
    def reason(self) -> str:
        """The one reason that is named; "" for a part that is not kept."""
        if self.head or not self._reasons:
            return HEAD if self.head else ""
        return next(reason for reason in REASONS if reason in self._reasons)

    def keep(self, reason: str) -> None:
        """Keep it, unless the limit per second is reached. Works as long as its spans are still held."""
        if not is_known(reason) or self.head:
            return
        with self._parts.lock:
            if self._reasons is not None:
                self._reasons.add(reason)
                return
            if self.settled:
                return
            self._refused = not self._parts.admit(reason)
            if self._refused:  # for a graver reason it may yet be kept
                return
            self._reasons = {reason}
            self.kept = True
        if self.held is not None:  # who adds from now on sees that it is kept
            self._release()

    def add(self, span: Outgoing) -> None:
        """Take a span that has ended."""
        if self.kept:
            self._parts.outbox.put(span)
        elif not self.settled:
            held, full = self._parts.hold(self)
            held.append(span)
            if full == "part_buffer":
                self.drop(1, full)
            elif full:
                self._parts.make_room()
            if self.kept or self.settled:  # by another thread since the first question
                self._release()

    def settle(self) -> None:
        """The part has ended: unkept spans are forgotten, and what ends later follows the decision."""
        with self._parts.lock:  # who keeps it at this moment is in time, or late
            if self.settled:
                return
            self.settled = True
        if self.kept:
            self._parts.counters.kept[self.reason] += 1
        elif self._refused:
            self._parts.counters.dropped["keep_limit"] += 1
        if self.held is not None:  # who adds from now on sees that it is settled
            self._release()

    def drop(self, number: int, cause: str) -> None:
        """Forget so many of what is held.

        What ended first goes: the parents, which end later, stay, so that what is kept has no orphans.
        """
        for _ in range(number):
            if self._pop() is not None:
                self._parts.counters.dropped[cause] += 1

    def _release(self) -> None:
        """Let go of what is held: to the outbox if the part is kept."""
        while (span := self._pop()) is not None:
            if self.kept:
                self._parts.outbox.put(span)
        self._parts.released(self)

    def _pop(self) -> Outgoing | None:
        try:
            span = self.held.popleft() if self.held else None
        except IndexError:  # another thread was faster
            return None
        if span is not None:
            self._parts.unhold()
        return span
