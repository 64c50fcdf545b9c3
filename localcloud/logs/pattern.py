"""A regular expression as Google reads it: by RE2, whose time grows with the text alone, whatever the pattern."""

from __future__ import annotations

from typing import Any

import re2  # type: ignore[import-untyped]


class InvalidPattern(ValueError):
    """What RE2 cannot read; the message says where."""


class Pattern:
    """A compiled expression; `groups` is how many it captures. Raises InvalidPattern."""

    def __init__(self, text: str) -> None:
        options = re2.Options()
        options.log_errors = False  # they are raised
        try:
            self._compiled = re2.compile(text, options)
        except (re2.error, UnicodeEncodeError) as error:
            said = error.args[0]
            raise InvalidPattern(said.decode() if isinstance(said, bytes) else str(error)) from None
        self.groups: int = self._compiled.groups

    def is_in(self, text: str) -> bool:
        """Whether any part of `text` matches."""
        return self._search(text) is not None

    def captured(self, text: str) -> str:
        """What the first group holds of the first match; empty if nothing matches."""
        found = self._search(text)
        return (found[1] or "") if found else ""

    def _search(self, text: str) -> Any:
        try:
            return self._compiled.search(text)
        except UnicodeEncodeError:  # half a surrogate pair, as a log line in JSON may have it
            return self._compiled.search(text.encode(errors="replace").decode())
