"""The tables of docs/configuration.md, made from the models they describe; run this file to write them there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

DOCUMENT = Path(__file__).parents[1] / "docs" / "configuration.md"


def settings_table() -> str:
    from app.settings import Settings

    rows = []
    for field in Settings.model_fields.values():
        extra: Any = field.json_schema_extra
        rows.append((f"`{field.validation_alias}`", field.description, extra["allowed"], _default(field)))
    return _table(("variable", "meaning", "allowed", "default"), rows)


def stack_table() -> str:
    from infra.schema.alerts import AlertsConfig
    from infra.schema.bucket import BucketConfig
    from infra.schema.ci import CiConfig
    from infra.schema.costs import CostsConfig
    from infra.schema.notify import NotifyConfig, PagerDutyConfig, SlackConfig, WebhookConfig
    from infra.schema.objectives import ObjectivesConfig
    from infra.schema.secret import SecretConfig
    from infra.schema.service import ServiceConfig
    from infra.schema.tracing import TracingConfig
    from infra.schema.traffic import TrafficConfig
    from infra.schema.vpc import VpcConfig
    from infra.stack import KEYS, Stack

    rows = _rows("blueprint:", {key: Stack.model_fields[key] for key in KEYS})
    for prefix, model in (
        ("services.<name>.", ServiceConfig),
        ("services.<name>.secrets.<NAME>.", SecretConfig),
        ("services.<name>.vpc.", VpcConfig),
        ("services.<name>.traffic.<n>.", TrafficConfig),
        ("services.<name>.objectives.", ObjectivesConfig),
        ("buckets.<name>.", BucketConfig),
        ("tracing.", TracingConfig),
        ("alerts.", AlertsConfig),
        ("notify.", NotifyConfig),
        ("notify.slack.<name>.", SlackConfig),
        ("notify.pagerduty.<name>.", PagerDutyConfig),
        ("notify.webhooks.<name>.", WebhookConfig),
        ("costs.", CostsConfig),
        ("ci.", CiConfig),
    ):
        rows += _rows(prefix, model.model_fields)
    return _table(("key", "meaning", "allowed", "default"), rows)


def written(text: str) -> str:
    """The document with its tables as the models say."""
    for marker, table in (("settings", settings_table()), ("stack", stack_table())):
        text = re.sub(
            rf"(<!-- {marker}\b[^\n]*-->\n).*?(<!-- /{marker} -->)",
            lambda m, t=table: m[1] + t + m[2],
            text,
            flags=re.DOTALL,
        )
    return text


def _rows(prefix: str, fields: dict[str, FieldInfo]) -> list[tuple[str, ...]]:
    return [
        (f"`{prefix}{name}`", f.title or "", f.description or "", _default(f)) for name, f in fields.items()
    ]


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return "required"
    if isinstance(value, BaseModel):
        return "see below"
    if value is None or value == "" or value == () or value == {}:
        return ""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
