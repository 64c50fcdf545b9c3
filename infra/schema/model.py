"""The base of every part of a stack file: frozen, strict, no unknown keys.

Every field carries a `title` (what it means) and a `description` (what is allowed); a refusal and docs/configuration.md both
quote them.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen part of a stack file. Strict: `"3"` is not a number, `1` is not a boolean."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
