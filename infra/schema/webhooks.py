"""Rules of `blueprint:notify.webhooks`: an address that understands what Cloud Monitoring sends, and how it knows Google."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from infra.schema.problem import HIDDEN, Problem
from infra.schema.secrecy import is_secret_name, looks_secret

if TYPE_CHECKING:
    from infra.schema.notify import WebhookConfig
    from infra.stack import Stack

_SLACK = re.compile(r"https://([^/@\s]*@)?hooks\.slack(-gov)?\.com(:\d+)?(/|$)", re.IGNORECASE)
_USER = re.compile(r"https://[^/?#]*@")
_READ = "since whoever sees the channels in Cloud Monitoring reads the address"


def webhooks(stack: Stack) -> Iterator[Problem]:
    """Slack's own webhooks take neither an incident's JSON nor basic authentication, and their address is a secret."""
    for name, webhook in stack.notify.webhooks.items():
        key = f"blueprint:notify.webhooks.{name}"
        if _SLACK.match(webhook.url):
            yield Problem(
                f"{key}.url",
                HIDDEN,
                "an address of your own, since Slack does not understand an incident's JSON",
                f"remove it, and name the channel under blueprint:notify.slack.{name}",
            )
        elif _USER.match(webhook.url):
            must = f"an https address without user or password, {_READ}"
            yield Problem(f"{key}.url", HIDDEN, must, "remove them from it, and set username and password")
        else:
            yield from _authentication(key, webhook)


def _authentication(key: str, webhook: WebhookConfig) -> Iterator[Problem]:
    """Either user name and password, or an address that alone lets in whoever knows it, accepted as such."""
    given = {"username": webhook.username, "password": webhook.password}
    accept = f"{key}.url_accepted: true"
    if webhook.url_accepted:
        for field in (field for field, value in given.items() if value is not None):
            must = "absent, since url_accepted says that the address is all that lets Google in"
            yield Problem(f"{key}.{field}", HIDDEN, must, "remove it, or url_accepted")
    elif _holds_token(webhook.url):
        remedy = f"remove it, or set {accept} in place of username and password if there is no other way"
        yield Problem(f"{key}.url", HIDDEN, f"an https address without token, {_READ}", remedy)
    else:
        for field in (field for field, value in given.items() if value is None):
            must = f"what the address asks for, or {accept} if it lets in whoever knows it"
            yield Problem(f"{key}.{field}", None, must, "set one of them")


def _holds_token(url: str) -> bool:
    asked = parse_qsl(url.partition("?")[2].partition("#")[0])
    return looks_secret(url) or any(is_secret_name(name) for name, _ in asked)
