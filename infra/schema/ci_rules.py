"""Rules of `blueprint:ci`: who may deploy is never wider than one repository and one branch or environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.schema.problem import Problem

if TYPE_CHECKING:
    from infra.schema.ci import CiConfig
    from infra.stack import Stack

APPROVED = ("staging", "prod")
"""Stacks whose deployments somebody approves."""

OWN_ACCOUNTS = ("deployer", "previewer")
"""Service accounts of CI: `<name>-<stack>`, as those of services."""

_LONGEST = 100  # google.subject takes 127 bytes; the run's number comes on top


def ci(stack: Stack) -> Iterator[Problem]:
    """Without `ci` there is nothing to say; nobody deploys to a laptop."""
    if stack.ci is None:
        return
    if stack.is_local:
        yield Problem(
            "blueprint:ci",
            stack.ci.repository,
            "absent in stack local, which no workflow reaches",
            "remove it",
        )
    yield from _bounds(stack, stack.ci)
    yield from _names(stack, stack.ci)


def _bounds(stack: Stack, config: CiConfig) -> Iterator[Problem]:
    environment = "blueprint:ci.environment"
    if stack.env in APPROVED and config.environment is None:
        yield Problem(
            environment,
            None,
            f"a GitHub environment such as {stack.env} in {stack.env}, since a branch asks nobody for an approval",
            f"create it in {config.repository} and set {environment}",
        )
    elif config.branch is None and config.environment is None:
        yield Problem(
            "blueprint:ci.branch",
            None,
            "a branch such as main, as there is no environment (any branch could deploy)",
            f"set it, or {environment}",
        )
    if stack.env in APPROVED and config.previews:
        yield Problem(
            "blueprint:ci.previews",
            True,
            "false in staging and prod (a pull request would read their state)",
            "set it in stack dev",
        )


def _names(stack: Stack, config: CiConfig) -> Iterator[Problem]:
    if len(config.repository) > _LONGEST:
        yield Problem(
            "blueprint:ci.repository",
            config.repository,
            f"at most {_LONGEST} characters (Google's limit for the name of a foreign identity)",
            "rename the repository",
        )
    for name in OWN_ACCOUNTS:
        if name in stack.services:
            yield Problem(
                f"blueprint:services.{name}",
                name,
                f"another name, since {stack.named(name)} is the account that CI uses",
                "rename the service",
            )
