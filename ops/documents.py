"""The documents that the demo sends: the user's, or this repository's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ops.errors import OperatorError

_OWN = ("README.md", "docs/architecture.md", "CHANGELOG.md")


@dataclass(frozen=True)
class Document:
    """A file's name and its bytes."""

    name: str
    content: bytes


def documents(root: Path, chosen: Path | None) -> list[Document]:
    """The chosen file alone, or a few of the repository's. Raises `OperatorError` if the file cannot be read."""
    if chosen and (not chosen.name.isprintable() or len(chosen.name) > 255):
        raise OperatorError(
            f"--document {chosen.name!r}: the name has characters that the gateway refuses; give a printable one of up to 255."
        )
    paths = [chosen] if chosen else [root / name for name in _OWN if (root / name).is_file()]
    try:
        return [Document(path.name, path.read_bytes()) for path in paths]
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise OperatorError(f"--document {chosen}: {reason}; give the path of a readable file.") from error
