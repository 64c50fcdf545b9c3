"""What `Pulumi.yaml` says about the program, and the forms in which stack config reaches it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ops.errors import OperatorError


@dataclass(frozen=True)
class Project:
    """A Pulumi project: its name and its program's file."""

    name: str
    program: Path

    @classmethod
    def read(cls, root: Path) -> Project:
        """The project whose `Pulumi.yaml` is in `root`; raises OperatorError."""
        path = root.resolve() / "Pulumi.yaml"
        try:
            settings = yaml.safe_load(path.read_text(encoding="utf-8"))
            program = path.parent / settings.get("main", ".")
            project = cls(settings["name"], program / "__main__.py" if program.is_dir() else program)
        except (OSError, yaml.YAMLError, AttributeError, KeyError) as error:
            raise OperatorError(
                f"{path} does not name a project and its program ({error!r}); mend the file."
            ) from error
        if not project.program.is_file():
            raise OperatorError(
                f"{path} names the program {project.program}, which does not exist; mend `main`."
            )
        return project


def config_texts(config: Mapping[str, Any]) -> dict[str, str]:
    """Config as a program gets it from Pulumi: every value a text, objects as JSON."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
