"""Stack files (`stacks/Pulumi.<env>.yaml`) read and changed in memory; the files themselves are the operator's and are never written."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ops.errors import OperatorError

Config = dict[str, Any]


def load(root: Path, stack: str) -> Config:
    """The `config` map of a stack file, keys as written (`gcp:project`, `blueprint:services`, …).

    Raises `OperatorError` if the file is missing or is not a mapping.
    """
    path = root / "stacks" / f"Pulumi.{stack}.yaml"
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(p.name.split(".")[1] for p in path.parent.glob("Pulumi.*.yaml"))) or "none"
        raise OperatorError(
            f"There is no stack {stack!r}: {path.name} is missing from stacks/; there are: {known}."
        ) from None
    except yaml.YAMLError as error:
        raise OperatorError(
            f"stacks/{path.name} is not valid YAML ({' '.join(str(error).split())}); mend the file."
        ) from error
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict):
        raise OperatorError(
            f"stacks/{path.name} has no `config:` mapping; compare it with another stack file."
        )
    return config


def changed(config: Mapping[str, Any], key: str, *path: str, value: Any) -> Config:
    """A deep copy of `config` with the entry at `blueprint:<key>` / path set to `value`."""
    result = copy.deepcopy(dict(config))
    node = result
    for step in (f"blueprint:{key}", *path[:-1]) if path else ():
        node = node.setdefault(step, {})
    node[path[-1] if path else f"blueprint:{key}"] = value
    return result
