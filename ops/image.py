"""What the image `local` stands for: the Dockerfile's own command, run on the working tree by this Python."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from localcloud.run.container import Image
from ops.errors import OperatorError


def working_tree(root: Path) -> Image:
    """The command of `CMD [...]` in the Dockerfile; raises `OperatorError` if it is not in exec form."""
    lines = (root / "Dockerfile").read_text(encoding="utf-8").splitlines()
    command = next(
        (line.removeprefix("CMD").strip() for line in reversed(lines) if line.startswith("CMD")), ""
    )
    try:
        first, *rest = json.loads(command)
    except ValueError:
        raise OperatorError(
            f'Dockerfile: CMD has value {command!r}; only the exec form passes SIGTERM on: write CMD ["python", "-m", "app"].'
        ) from None
    # -u is the Dockerfile's PYTHONUNBUFFERED: a log line must leave when it is written.
    argv = (sys.executable, "-u", *rest) if first in ("python", "python3") else (first, *rest)
    return Image(argv=argv, cwd=root)
