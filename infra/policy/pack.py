"""The rules as policies of `pulumi_policy`, which lives in an environment of its own: nothing else imports this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pulumi
from pulumi_policy import (  # type: ignore[import-not-found]
    EnforcementLevel,
    PolicyPack,
    ResourceValidationPolicy,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError  # type: ignore[import-not-found]

from infra.policy.declared import Declared, plain
from infra.policy.finding import Undecided, Violation
from infra.policy.rule import Rule
from infra.policy.rules import RULES

NAME = "blueprint"
Report = Callable[..., None]


def policy(rule: Rule) -> Any:
    """The rule as Pulumi runs it."""

    def each(arguments: Any, report: Report) -> None:
        judge(rule, [declared(arguments)], report)

    def whole(arguments: Any, report: Report) -> None:
        judge(rule, [declared(resource) for resource in arguments.resources], report)

    kind, validate = (StackValidationPolicy, whole) if rule.whole else (ResourceValidationPolicy, each)
    return kind(
        name=rule.name,
        description=rule.description,
        validate=validate,
        enforcement_level=EnforcementLevel(rule.level),
    )


def declared(resource: Any) -> Declared:
    """The resource without Pulumi's proxies."""
    name, kind, urn = resource.name, resource.resource_type, resource.urn
    return Declared(kind, name, plain(resource.props, UnknownValueError), urn)


def judge(rule: Rule, resources: Sequence[Declared], report: Report) -> None:
    """Reports violations. What is undecided becomes Pulumi's own advice that a value cannot be known in a preview."""
    findings = rule.findings(resources, pulumi.get_stack())
    for violation in findings:
        if isinstance(violation, Violation):
            report(str(violation), violation.resource.urn)
    for undecided in findings:
        if isinstance(undecided, Undecided):
            raise UnknownValueError(UNKNOWN_STRING_VALUE, [undecided.resource.name, undecided.path])


def serve() -> None:
    """Serve the pack to Pulumi's engine. Never returns."""
    PolicyPack(NAME, [policy(rule) for rule in RULES])
