"""Who is told: one channel per entry of `blueprint:notify`, and no secret of it in plain text."""

from __future__ import annotations

import json

import pulumi
import pytest
from recorded import Recorded, record
from stack_files import changed, filled_in, parsed

from infra.components.channels import channels

TOKEN, KEY, PASSWORD = "xoxb-1-secret", "r0ut1ng-k3y", "corr3ct-h0rse"
ADDRESS = "https://pager.example.com/in?apiKey=b4tt3ry"
NOTIFY = {
    "emails": ["a@example.com", "b@example.com", "a@example.com"],
    "slack": {
        "alerts": {"channel": "#alerts", "auth_token": TOKEN},
        "other": {"channel": "#alerts", "team": "acme", "auth_token": TOKEN},
    },
    "pagerduty": {"on-call": {"service_key": KEY}},
    "webhooks": {
        "board": {"url": "https://board.example.com/in", "username": "cloud", "password": PASSWORD},
        "pager": {"url": ADDRESS, "url_accepted": True},
    },
}
VALUES = changed(filled_in("dev"), "notify", NOTIFY)
USER_LABELS = {"environment": "dev", "managed-by": "pulumi"}


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return record("dev", VALUES)


SECRET = "[secret]"  # what the recording makes of a marked value
CHANNELS = {
    "a@example.com": {"type": "email", "labels": {"email_address": "a@example.com"}},
    "b@example.com": {"type": "email", "labels": {"email_address": "b@example.com"}},
    "slack-alerts": {"type": "slack", "labels": {"channel_name": "#alerts"}, "sensitiveLabels": SECRET},
    "slack-other": {"type": "slack", "labels": {"channel_name": "#alerts", "team": "acme"}, "sensitiveLabels": SECRET},
    "pagerduty-on-call": {"type": "pagerduty", "sensitiveLabels": SECRET},
    "webhook-board": {
        "type": "webhook_basicauth",
        "labels": {"url": "https://board.example.com/in", "username": "cloud"},
        "sensitiveLabels": SECRET,
    },
    "webhook-pager": {"type": "webhook_tokenauth", "labels": SECRET},
}  # fmt: skip


def test_each_entry_is_one_channel(recorded: Recorded) -> None:
    """In the shape of Google's descriptor for its type; an address that is named twice is one."""
    common = {"project": "acme-docs", "userLabels": USER_LABELS}
    assert recorded.of("NotificationChannel") == {
        f"{name}-dev": {**channel, **common, "displayName": f"{name} · dev"}
        for name, channel in CHANNELS.items()
    }


def test_every_policy_tells_every_channel(recorded: Recorded) -> None:
    """Nobody is told only of some."""
    everyone = [f"id-{name}-dev" for name in CHANNELS]
    for policy in recorded.of("AlertPolicy").values():
        assert sorted(policy["notificationChannels"]) == sorted(everyone)


def test_a_secret_is_nowhere_in_plain_text(recorded: Recorded) -> None:
    """Neither in another input, nor in what the stack exports."""
    shown = json.dumps([recorded.resources, recorded.exports], default=str)
    for secret in (TOKEN, KEY, PASSWORD, ADDRESS):
        assert secret not in shown


async def test_a_secret_is_marked_as_one_and_is_the_right_one() -> None:
    """What is marked is encrypted in the state and hidden in the output of `pulumi`."""
    found = {}
    for _, arguments in channels(parsed("dev", VALUES)):
        for key, value in {**(arguments["labels"] or {}), **arguments.get("sensitive_labels", {})}.items():
            if isinstance(value, pulumi.Output):
                assert await value.is_secret()
                found[key] = await value.future()
    assert found == {"auth_token": TOKEN, "service_key": KEY, "password": PASSWORD, "url": ADDRESS}


def test_a_stack_that_is_shown_shows_no_secret() -> None:
    """In a traceback, a debugger or a log, the stack's text has stars."""
    text = repr(parsed("dev", VALUES))
    assert "**********" in text
    for secret in (TOKEN, KEY, PASSWORD, ADDRESS):
        assert secret not in text


def test_nobody_named_is_no_channel() -> None:
    """The alerts are then in Google's console only."""
    recorded = record("dev", changed(filled_in("dev"), "notify", {}))
    assert recorded.of("NotificationChannel") == {}
    assert all(each["notificationChannels"] == [] for each in recorded.of("AlertPolicy").values())
