"""What a forked child must not take over from its parent: threads that are not there, locks that may be held, open work."""

import os
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """What a forked child gets a copy of."""

    def _start_anew(self) -> None:
        """Forget, in the child, what is the parent's: what it has open or queued, its threads, locks that it may hold."""


_forkable: WeakSet[Forkable] = WeakSet()


def in_a_fork_anew(forkable: Forkable) -> None:
    """Have `_start_anew` called in each forked child for as long as the object lives."""
    _forkable.add(forkable)


def _start_all_anew() -> None:
    for forkable in list(_forkable):
        forkable._start_anew()


# Once: what is registered there is never let go.
os.register_at_fork(after_in_child=_start_all_anew)
