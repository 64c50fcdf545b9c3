"""Rules of `blueprint:notify.webhooks`: an address that understands what Cloud Monitoring sends, and holds no secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.schema.problem import HIDDEN, Problem
from infra.schema.secrecy import looks_secret

if TYPE_CHECKING:
    from infra.stack import Stack

_SLACK = re.compile(r"https://([^/@\s]*@)?hooks\.slack(-gov)?\.com(:\d+)?(/|$)", re.IGNORECASE)


def webhooks(stack: Stack) -> Iterator[Problem]:
    """Slack's own webhooks take neither an incident's JSON nor basic authentication, and their address is a secret."""
    for name, webhook in stack.notify.webhooks.items():
        if _SLACK.match(webhook.url):
            yield Problem(
                f"blueprint:notify.webhooks.{name}.url",
                HIDDEN,
                "an address of your own, since Slack does not understand an incident's JSON",
                f"remove it, and name the channel under blueprint:notify.slack.{name}",
            )
        elif looks_secret(webhook.url):
            yield Problem(
                f"blueprint:notify.webhooks.{name}.url",
                HIDDEN,
                "an https address without user, password or token, since the address of a channel is no secret in Google Cloud",
                "remove them from it, and set username and password",
            )
