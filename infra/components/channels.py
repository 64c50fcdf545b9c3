"""Who is told when an alert fires: one notification channel per entry of `blueprint:notify`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pulumi
from pulumi_gcp import monitoring
from pydantic import SecretStr

from infra.schema.notify import WebhookConfig
from infra.stack import Stack
from infra.stated import stated


class Channels(pulumi.ComponentResource):
    """E-mail, Slack, PagerDuty and webhooks; `ids` are what an alert policy refers to."""

    def __init__(self, stack: Stack, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("blueprint:index:Channels", stack.named("notify"), {}, opts)
        self.ids = [
            monitoring.NotificationChannel(
                stack.named(name),
                **arguments,
                display_name=f"{name} · {stack.env}",
                project=stack.project,
                user_labels=stack.all_labels(),
                opts=pulumi.ResourceOptions(parent=self),
            ).id
            for name, arguments in channels(stack)
        ]
        self.register_outputs({})


def channels(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name, type and labels of each channel. The labels are those of Google's own descriptors for the type.

    Source: monitoring v3, projects.notificationChannelDescriptors; which of them are sensitive: pulumi_gcp,
    NotificationChannelSensitiveLabelsArgs.
    """
    notify = stack.notify
    for address in dict.fromkeys(notify.emails):
        yield address, {"type": "email", "labels": {"email_address": address}}
    for name, slack in sorted(notify.slack.items()):
        # pulumi/pulumi-gcp#3353: whoever made such a channel needed `team`; Google's descriptor of the type was not to be had.
        labels = {"channel_name": slack.channel, **stated(team=slack.team)}
        yield f"slack-{name}", _channel("slack", labels, auth_token=slack.auth_token)
    for name, pagerduty in sorted(notify.pagerduty.items()):
        yield f"pagerduty-{name}", _channel("pagerduty", None, service_key=pagerduty.service_key)
    for name, webhook in sorted(notify.webhooks.items()):
        yield f"webhook-{name}", _webhook(webhook)


def _webhook(webhook: WebhookConfig) -> dict[str, Any]:
    """The address is no sensitive label of either type: where it holds the token, only Pulumi keeps it secret."""
    if webhook.password is None:
        return {"type": "webhook_tokenauth", "labels": {"url": pulumi.Output.secret(webhook.url)}}
    labels = {"url": webhook.url, **stated(username=webhook.username)}
    return _channel("webhook_basicauth", labels, password=webhook.password)


def _channel(kind: str, labels: dict[str, str] | None, **secrets: SecretStr) -> dict[str, Any]:
    """Marked as secret, a value is encrypted in Pulumi's state and hidden in its output."""
    sensitive = {key: pulumi.Output.secret(value.get_secret_value()) for key, value in secrets.items()}
    return {"type": kind, "labels": labels, "sensitive_labels": sensitive}
