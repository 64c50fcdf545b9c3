"""Rules of `blueprint:ci`: who may deploy is never wider than one repository and one branch, or environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.schema.problem import Problem

if TYPE_CHECKING:
    from infra.schema.ci import CiConfig
    from infra.stack import Stack

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
    yield from _numbers(stack, stack.ci)
    yield from _bounds(stack, stack.ci)
    yield from _names(stack, stack.ci)


def _numbers(stack: Stack, config: CiConfig) -> Iterator[Problem]:
    """A name can come to mean another repository; where somebody approves, that must not go by unseen."""
    if stack.is_development:
        return
    for name, of, asked in (
        ("repository_id", "repository", ".id"),
        ("owner_id", "repository's owner", ".owner.id"),
    ):
        key = f"blueprint:ci.{name}"
        if getattr(config, name) is None:
            yield Problem(
                key,
                None,
                f"the number of the {of} in {stack.env} (whoever gets its name later could deploy)",
                f"set {key} to what `gh api repos/{config.repository} --jq {asked}` prints, in quotes",
            )


def _bounds(stack: Stack, config: CiConfig) -> Iterator[Problem]:
    branch, environment = "blueprint:ci.branch", "blueprint:ci.environment"
    if config.environment not in (None, stack.env):
        must = f"{stack.env}, the stack's name, which is the environment that up.yml deploys from"
        yield Problem(environment, config.environment, must, f"write {stack.env}")
    if (config.branch or "").startswith("refs/"):
        must = "a branch's name without refs/heads/"
        yield Problem(branch, config.branch, must, f"write {str(config.branch).removeprefix('refs/heads/')}")
    if stack.is_development:
        if config.branch is None and config.environment is None:
            must = "a branch such as main, as there is no environment (any branch could deploy)"
            yield Problem(branch, None, must, f"set it, or {environment}")
    else:
        yield from _approved(stack, config, branch, environment)


def _approved(stack: Stack, config: CiConfig, branch: str, environment: str) -> Iterator[Problem]:
    if config.environment is None:
        must = f"a GitHub environment such as {stack.env} in {stack.env}, since a branch asks nobody for an approval"
        yield Problem(environment, None, must, f"create it in {config.repository} and set {environment}")
    if config.branch is None:
        must = "a branch such as main, since any branch can name an environment"
        yield Problem(branch, None, must, f"set it beside {environment}")
    if config.previews:
        must = f"false in {stack.env} (a pull request would read its state)"
        yield Problem("blueprint:ci.previews", True, must, "set it in stack dev")


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
