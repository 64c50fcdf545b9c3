"""JSON in the form in which the dashboards API gives it back, so that a second preview is empty.

The provider leaves out of its comparison what only the API's answer has (etag, name, defaults), and nothing else: a value
that the program gives and the API drops is a difference for ever, which zeros, `false` and empty values are
(hashicorp/terraform-provider-google#7242; `removeComputedKeys` in magic-modules, resource_monitoring_dashboard.go).
"""

from __future__ import annotations

import json
from typing import Any

WIDGETS = ("incidentList",)
"""Keys that choose the kind of widget by being there, with nothing in it too."""


def normalised(value: Any) -> str:
    """The value without what the API would drop, keys sorted, nothing between the tokens, text as it reads."""
    return json.dumps(_kept(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _kept(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _kept(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item or key in WIDGETS}
    if isinstance(value, list | tuple):
        return [_kept(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
