"""Stack files as the tests use them: copies of their own, changed in memory, given to `infra.stack`.

Those in `stacks/` are the operator's; only `test_shipped_stacks.py` reads them.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from infra.stack import Stack, parse

ROOT = Path(__file__).parents[2]
FROZEN = Path(__file__).with_name("stacks")
ENVIRONMENTS = ("local", "dev", "staging", "prod")
DIGEST = "europe-southwest1-docker.pkg.dev/acme-docs/services-dev/app@sha256:" + "a" * 64


def config(env: str) -> dict[str, Any]:
    """The `config` map of a stack file as it was shipped, with its placeholders."""
    return read(FROZEN / f"Pulumi.{env}.yaml")


def read(file: Path) -> dict[str, Any]:
    """The `config` map of a stack file; empty if it has none."""
    document: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    return document.get("config") or {}


def filled_in(env: str) -> dict[str, Any]:
    """The same, with an operator's project and images in place of the placeholders, and in prod somebody on call."""
    values = config(env)
    if env != "local":
        values["gcp:project"] = "acme-docs"
        for service in values["blueprint:services"].values():
            service["image"] = DIGEST
        values.pop("blueprint:build", None)
    if env == "prod":
        values["blueprint:notify"]["emails"] = ["oncall@example.com"]
    return values


def changed(values: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with the entry at `services.gateway.cpu`, `gcp:region`, … set; `...` removes it."""
    result = copy.deepcopy(values)
    first, *rest = path.split(".")
    steps = [first if ":" in first else f"blueprint:{first}", *rest]
    node: Any = result
    for step in steps[:-1]:
        node = node.setdefault(step, {})
    if value is ...:
        node.pop(steps[-1], None)
    else:
        node[steps[-1]] = value
    return result


def encrypted(values: dict[str, Any]) -> list[str]:
    """The keys that Pulumi calls secret, if an operator set every token with `--secret`."""
    notify = values.get("blueprint:notify")
    holds = isinstance(notify, dict) and notify.keys() & {"slack", "pagerduty", "webhooks"}
    return ["blueprint:notify"] if holds else []


def parsed(env: str, values: dict[str, Any], secret: Collection[str] | None = None) -> Stack:
    """What `infra.stack.read` makes of these values; `secret` are the keys that Pulumi calls so, if not `encrypted`."""
    declared = {
        key.removeprefix("blueprint:"): value for key, value in values.items() if key.startswith("blueprint:")
    }
    return parse(
        env,
        values.get("gcp:project"),
        values.get("gcp:region"),
        declared,
        encrypted(values) if secret is None else secret,
    )


def as_pulumi_passes(values: dict[str, Any]) -> dict[str, str]:
    """Pulumi hands every value to the program as text: maps and lists as JSON."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
