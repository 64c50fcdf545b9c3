"""A stack, typed: what the operator declared, checked before any resource is. The only reader of `pulumi.Config`."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from graphlib import TopologicalSorter
from typing import Annotated, Any

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret
from pydantic import BeforeValidator, Field, ValidationError

from infra.schema import tiers
from infra.schema.alerts import AlertsConfig
from infra.schema.bucket import BucketConfig
from infra.schema.ci import CiConfig
from infra.schema.costs import CostsConfig
from infra.schema.encrypted import misplaced, unencrypted
from infra.schema.hiding import hidden
from infra.schema.model import Model
from infra.schema.notify import NotifyConfig
from infra.schema.rules import RULES
from infra.schema.service import ServiceConfig
from infra.schema.tracing import TracingConfig
from infra.schema.unknown import homes, unknown_key
from infra.schema.validation import problems

KEYS = [
    "services", "buckets", "tracing", "alerts", "notify", "costs", "ci", "build", "labels", "encryption_key", "runbook_url",
]  # fmt: skip
_OUTSIDE = {"env": "the stack's name", "project": "gcp:project", "region": "gcp:region"}


class StackRefused(pulumi.RunError):
    """One sentence per mistake. As a `RunError` it is shown by Pulumi without a stack trace."""


class Stack(Model):
    """The keys of namespace `blueprint`, where the stack is, and the names that follow from both."""

    env: str = Field(
        pattern=r"^[a-z][a-z0-9-]{1,11}$",
        title="stack name: `prod…` is production; `local`, `dev` and `dev-…` are development; any other is held to what staging is",
        description="2 to 12 lower-case letters, digits and hyphens (pulumi stack init <name>)",
    )
    project: str = Field(
        pattern=r"^([a-z0-9-]+(\.[a-z0-9-]+)+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$",
        title="project",
        description="the id of your Google Cloud project, 6 to 30 lower-case letters, digits and hyphens (example.com: may stand before it)",
    )
    region: str = Field(
        pattern=r"^[a-z]+-[a-z]+[0-9]+$",
        title="region",
        description="a Google Cloud region such as europe-west1",
    )
    services: dict[str, ServiceConfig] = Field(
        title="Cloud Run services, by logical name", description="a map of services by name"
    )
    buckets: dict[str, BucketConfig] = Field(
        default={},
        title="Cloud Storage buckets, by logical name",
        description="a map of buckets by name, {} for one with defaults",
    )
    tracing: TracingConfig = Field(
        default=TracingConfig(),
        title="tracing of every service",
        description="a map with exporter, sample_ratio, keep_slow_ms and keep_per_second",
    )
    alerts: AlertsConfig = Field(
        default=AlertsConfig(), title="when somebody is woken up", description="a map of thresholds"
    )
    notify: NotifyConfig = Field(
        default=NotifyConfig(),
        title="who gets the alerts",
        description="a map of emails, slack, pagerduty and webhooks",
    )
    costs: CostsConfig = Field(
        default=CostsConfig(),
        title="what the declared traffic may cost",
        description="a map of budgets and sizes",
    )
    ci: Annotated[CiConfig | None, BeforeValidator(lambda value: value or None)] = Field(
        default=None,
        title="the repository whose workflows deploy this stack",
        description="a map of repository and branch or environment, or empty",
    )
    build: bool = Field(
        default=False,
        title="whether the Dockerfile is built and pushed for services without an `image`; in `dev` and `dev-…` only",
        description="true or false",
    )
    labels: dict[str, str] = Field(
        default={},
        title="labels of every resource, beside environment and managed-by",
        description="a map of labels to text",
    )
    encryption_key: str = Field(
        default="",
        pattern=r"^(projects/[^/\s]+/locations/[^/\s]+/keyRings/[^/\s]+/cryptoKeys/[^/\s]+)?$",
        title="your own key (CMEK) for services, buckets and images",
        description='projects/PROJECT/locations/REGION/keyRings/RING/cryptoKeys/KEY, or ""',
    )
    runbook_url: str = Field(
        default="",
        pattern=r"^(https://\S+)?$",
        title="where people read infra/runbook.md; alerts link to its sections",
        description='an https address, or ""',
    )

    @property
    def file(self) -> str:
        """The stack file, for messages."""
        return stack_file(self.env)

    @property
    def is_local(self) -> bool:
        """Whether localcloud is the cloud: images stand for the working tree."""
        return self.env == "local"

    @property
    def is_production(self) -> bool:
        """Whether it is called `prod…`: what only production demands, and what protects it from `pulumi destroy`."""
        return tiers.is_production(self.env)

    @property
    def is_development(self) -> bool:
        """Whether it is `local`, `dev` or `dev-…`; any other stack runs only what was tested elsewhere, by digest."""
        return tiers.is_development(self.env)

    def named(self, name: str) -> str:
        """`<name>-<stack>`: deterministic, so that a name in a log leads to the stack file."""
        return f"{name}-{self.env}"

    def bucket_name(self, bucket: str) -> str:
        """Bucket names are global, hence the project in front; of a domain's project, with hyphens (a dot asks for a proof of ownership)."""
        return f"{re.sub('[.:]', '-', self.project)}-{bucket}-{self.env}"

    def all_labels(self, **more: str) -> dict[str, str]:
        """Labels of a resource; Cloud Run copies a service's own into its log entries."""
        return {**self.labels, "environment": self.env, "managed-by": "pulumi", **more}

    def service_labels(self, name: str) -> dict[str, str]:
        """Labels of a service and of its revisions; its own win over the stack's."""
        reasoned = {"sampling": "reasoned"} if self.tracing.ratio_reason else {}
        return {**self.all_labels(service=name, **reasoned), **self.services[name].labels}

    def callees_first(self) -> list[str]:
        """Service names in an order in which each comes after those it calls; the same on every run."""
        return list(
            TopologicalSorter(
                {name: sorted(self.services[name].calls) for name in sorted(self.services)}
            ).static_order()
        )


def stack_file(env: str) -> str:
    """Where a stack's configuration is, for messages."""
    return f"stacks/Pulumi.{env}.yaml"


def read() -> Stack:
    """The stack that Pulumi runs. Raises `StackRefused`."""
    config = pulumi.Config("blueprint")
    present = {
        key.removeprefix("blueprint:")
        for key in (*CONFIG.get(), *get_config_env())
        if key.startswith("blueprint:")
    }
    known = {key for key in KEYS if config.get(key) is not None}
    gcp = pulumi.Config("gcp")
    declared = {key: _value(config.get(key)) for key in sorted(present | known)}
    # One secret anywhere in a map makes the whole key secret for Pulumi; its values come decrypted.
    secret = [key for key in map(config.full_key, declared) if is_config_secret(key)]
    return parse(pulumi.get_stack(), gcp.get("project"), gcp.get("region"), declared, secret)


def _value(text: str | None) -> Any:
    """Pulumi hands over maps and lists as JSON; text that is no JSON is judged as it stands."""
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text


def parse(
    env: str,
    project: str | None,
    region: str | None,
    declared: Mapping[str, Any],
    secret: Collection[str] = (),
) -> Stack:
    """The stack for the values of namespace `blueprint`. Raises `StackRefused` with every mistake, a sentence each.

    `secret` names the keys, such as `blueprint:notify`, of which Pulumi keeps a value encrypted. No sentence shows a value
    of these, nor one where a secret belongs.
    """
    places = homes(Stack, KEYS)
    found = [unknown_key(f"blueprint:{key}", key, KEYS, places) for key in declared if key not in KEYS]
    found += misplaced(secret)
    values = {key: declared[key] for key in KEYS if key in declared}
    where = {"project": project, "region": region}
    # One that is None is left out: it is missing, and no key with nothing behind it.
    values |= {"env": env, **{key: value for key, value in where.items() if value is not None}}
    try:
        stack = Stack.model_validate_json(json.dumps(values))
        found += [problem for rule in RULES for problem in rule(stack)]
        found += unencrypted(stack, secret)
    except ValidationError as error:
        found += problems(error, Stack, _OUTSIDE, f"change it in {stack_file(env)}", places)
    if found:
        raise StackRefused("\n".join(str(hidden(problem, secret)) for problem in found))
    return stack
