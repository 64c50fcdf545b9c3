"""The local cloud that runs here, by the address that it leaves. Starts and ends none."""

from __future__ import annotations

from pathlib import Path

from ops.errors import OperatorError
from ops.google import Google
from ops.options import ROOT

RUNNING = ROOT / ".localcloud" / "local" / "endpoint"
"""Where `blueprint local` leaves its address while it runs."""


def running(file: Path) -> Google | None:
    """Who reads of it; None if none runs. A file that was left by a cloud that was killed names none."""
    try:
        found = Google.local(file.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError, OperatorError):
        return None
    return found if found.project else None
