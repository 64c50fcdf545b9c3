"""What images whose names begin with `local` stand for: a Dockerfile's own command, run on the working tree by this Python."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from localcloud.run.container import Image
from ops.errors import OperatorError


def working_trees(root: Path) -> dict[str, Image]:
    """`local` for the template, and `local/services/NAME` for each service with code of its own.

    Raises `OperatorError` if one's `CMD` is not in exec form.
    """
    # A name that begins with a dot is what an interrupted `new-service` left.
    forks = sorted(file.parent for file in root.glob("services/[!.]*/Dockerfile"))
    return {
        "local": _image(root, "Dockerfile"),
        **{f"local/services/{fork.name}": _image(fork, f"services/{fork.name}/Dockerfile") for fork in forks},
    }


def _image(directory: Path, shown: str) -> Image:
    """The command of `CMD [...]` in the Dockerfile there, run there."""
    lines = (directory / "Dockerfile").read_text(encoding="utf-8").splitlines()
    command = next(
        (line.removeprefix("CMD").strip() for line in reversed(lines) if line.startswith("CMD")), ""
    )
    try:
        first, *rest = json.loads(command)
    except ValueError:
        raise OperatorError(
            f'{shown}: CMD has value {command!r}; only the exec form passes SIGTERM on: write CMD ["python", "-m", "app"].'
        ) from None
    # -u is the Dockerfile's PYTHONUNBUFFERED: a log line must leave when it is written.
    argv = (sys.executable, "-u", *rest) if first in ("python", "python3") else (first, *rest)
    return Image(argv=argv, cwd=directory)
