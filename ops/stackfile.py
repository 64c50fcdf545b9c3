"""Stack files (`stacks/Pulumi.<env>.yaml`) read and changed in memory; the files themselves are the operator's and are never written."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ops.errors import OperatorError

Config = dict[str, Any]

_NO_YAML = (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""PyYAML lets through what its constructors meet in values such as `2024-13-01` or `!!bool maybe`; an alias may hold itself."""


def load(root: Path, stack: str) -> Config:
    """The `config` map of a stack file, keys as written (`gcp:project`, `blueprint:services`, …).

    Raises `OperatorError` if the file is missing or cannot be read, is not a mapping, or has a key that is no text.
    """
    name = f"stacks/Pulumi.{stack}.yaml"
    try:
        document = _plain(yaml.safe_load(text(root, stack)))
    except _NO_YAML as error:
        raise OperatorError(
            f"{name} is not valid YAML ({' '.join(str(error).split())}); mend the file."
        ) from error
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict):
        raise OperatorError(f"{name} has no `config:` mapping; compare it with another stack file.")
    if other := [key for key in config if not isinstance(key, str)]:
        raise OperatorError(
            f"{name}: config has the key {other[0]!r}, which is no text; write a key as NAMESPACE:KEY, or take it out."
        )
    return config


def text(root: Path, stack: str) -> str:
    """The text of a stack file, with the line ends that it has. Raises `OperatorError`."""
    path = root / "stacks" / f"Pulumi.{stack}.yaml"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        known = ", ".join(sorted(p.name.split(".")[1] for p in path.parent.glob("Pulumi.*.yaml"))) or "none"
        raise OperatorError(
            f"There is no stack {stack!r}: {path.name} is missing from stacks/; there are: {known}."
        ) from None
    except UnicodeDecodeError as error:
        raise OperatorError(
            f"stacks/{path.name} is not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8."
        ) from error
    except OSError as error:
        raise OperatorError(
            f"stacks/{path.name} cannot be read ({error.strerror}); put a file there that you may read."
        ) from error


def changed(config: Mapping[str, Any], key: str, *path: str, value: Any) -> Config:
    """A deep copy of `config` with the entry at `blueprint:<key>` / path set to `value`."""
    result = copy.deepcopy(dict(config))
    node = result
    for step in (f"blueprint:{key}", *path[:-1]) if path else ():
        node = node.setdefault(step, {})
    node[path[-1] if path else f"blueprint:{key}"] = value
    return result


def _plain(value: Any) -> Any:
    """Only what JSON has, in which Pulumi hands the values to the program: a date is text."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)
