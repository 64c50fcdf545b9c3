"""Rules on what Pulumi keeps encrypted: the tokens of `notify`, which only a channel gets, and nothing else.

Pulumi tells of a key such as `blueprint:notify` that it holds a secret, not of which of its values is one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from infra.schema.problem import HIDDEN, Problem

if TYPE_CHECKING:
    from infra.stack import Stack

_NOTIFY = "blueprint:notify"


def misplaced(secret: Collection[str]) -> Iterator[Problem]:
    """A value of another key becomes an argument like any other: readable in the state, and in Google's console."""
    for key in secret:
        if key != _NOTIFY:
            yield Problem(
                key,
                HIDDEN,
                "without secrets of Pulumi's, since what is made of it stands in plain text in the state and in Google Cloud",
                "remove the secret (pulumi config rm --path), put it into Secret Manager, and name it under"
                " blueprint:services.<name>.secrets",
            )


def unencrypted(stack: Stack, secret: Collection[str]) -> Iterator[Problem]:
    """A token in plain text is read by all who read the stack file. Stack `local` sends nothing, so its tokens are none."""
    if stack.is_local or _NOTIFY in secret:
        return
    notify = stack.notify
    tokens = [
        *(("slack", name, "auth_token") for name in notify.slack),
        *(("pagerduty", name, "service_key") for name in notify.pagerduty),
        *(
            ("webhooks", name, "url" if each.url_accepted else "password")
            for name, each in notify.webhooks.items()
        ),
    ]
    for kind, name, field in tokens:
        key = f"{_NOTIFY}.{kind}{_step(name)}.{field}"
        yield Problem(
            key,
            HIDDEN,
            "a secret of Pulumi's, since in plain text it is read by all who read the stack file",
            f"take it out, replace it where it was made, and set the new one with pulumi config set --secret --path '{key}'",
        )


def _step(name: str) -> str:
    """A step of a path as Pulumi's CLI takes it."""
    return f".{name}" if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f"[{json.dumps(name)}]"
