"""`blueprint:notify`: who is told when an alert fires. Secrets in it are set with `pulumi config set --secret --path`.

They are `SecretStr`: what shows a stack shows stars.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints

from infra.schema.model import Model

_LOCAL, _LABEL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+", r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
Email = Annotated[
    str,
    StringConstraints(pattern=rf"^{_LOCAL}(\.{_LOCAL})*@({_LABEL}\.)+{_LABEL}$"),
    Field(description="an e-mail address such as team@example.com"),
]


class SlackConfig(Model):
    """A Slack channel, told by Google's own Slack app."""

    channel: str = Field(
        pattern=r"^#[^\s#]{1,79}$", title="the channel", description="a channel's name such as #alerts"
    )
    team: str | None = Field(
        default=None,
        min_length=1,
        max_length=80,
        title="the Slack workspace, which a channel made by its name may need (docs/infrastructure.md, known gaps)",
        description="a workspace's name as Slack shows it, or absent",
    )
    auth_token: SecretStr = Field(
        min_length=1, title="token of the Slack app (secret)", description="the token, as a secret"
    )


class PagerDutyConfig(Model):
    """A PagerDuty service."""

    service_key: SecretStr = Field(
        min_length=1,
        title="integration key of the PagerDuty service (secret)",
        description="the integration key, as a secret",
    )


class WebhookConfig(Model):
    """An address of your own that is sent each incident as JSON, with basic authentication or a token in the address."""

    url: str = Field(
        pattern=r"^https://\S+$",
        repr=False,
        title="the address, not one of Slack's; no secret belongs into it, but for what `url_accepted` accepts",
        description="an https address",
    )
    username: str | None = Field(
        default=None,
        min_length=1,
        title="user name it asks for, with `password`",
        description="a user name, or absent",
    )
    password: SecretStr | None = Field(
        default=None,
        min_length=1,
        title="password it asks for (secret)",
        description="the password, as a secret, or absent",
    )
    url_accepted: bool = Field(
        default=False,
        title="whether the address alone lets Google in, by a token in it (then a secret): who sees channels in Cloud Monitoring reads it",
        description="true or false",
    )


class NotifyConfig(Model):
    """Channels by kind, one at least in a stack called `prod…`; each name is yours and part of the channel's title."""

    emails: tuple[Email, ...] = Field(
        default=(),
        title="e-mail addresses",
        description="a list of e-mail addresses such as team@example.com",
    )
    slack: dict[str, SlackConfig] = Field(
        default={}, title="Slack channels by name", description="a map of Slack channels by name"
    )
    pagerduty: dict[str, PagerDutyConfig] = Field(
        default={}, title="PagerDuty services by name", description="a map of PagerDuty services by name"
    )
    webhooks: dict[str, WebhookConfig] = Field(
        default={}, title="webhooks by name", description="a map of webhooks by name"
    )
