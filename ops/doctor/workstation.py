"""The machine that deploys, as the checks see it: its programs, its files, its environment. Runs programs, writes nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TIMEOUT_S = 20


@dataclass(frozen=True)
class Workstation:
    """`root` is the repository. Everything is passed in, so that a test can be any machine."""

    root: Path
    home: Path
    environ: Mapping[str, str]

    @classmethod
    def here(cls, root: Path) -> Workstation:
        """This machine."""
        return cls(root, Path.home(), os.environ)

    def find(self, program: str) -> Path | None:
        """Where a program is on PATH."""
        found = shutil.which(program, path=self.environ.get("PATH", ""))
        return Path(found) if found else None

    def run(self, *command: str) -> str | None:
        """What a program prints; None if it fails or takes longer than 20 s."""
        try:
            done = subprocess.run(
                command,
                env=dict(self.environ),
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_TIMEOUT_S,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def directory(self, variable: str, default: str) -> Path:
        """The directory that `variable` names, else `default` below the home directory."""
        return Path(self.environ.get(variable) or self.home / default)

    def json(self, path: Path) -> dict[str, Any]:
        """A JSON object in a file; empty if it is missing or is none."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return mapping(found)


def mapping(value: Any) -> dict[str, Any]:
    """A map as it is, anything else as an empty one: the files are other programs', in any state."""
    return value if isinstance(value, dict) else {}
