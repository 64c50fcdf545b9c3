"""Rules: who becomes an account without a key. GitHub has one issuer for everybody, so all depends on the condition."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from operator import eq
from typing import Any

from infra.policy.accounts import ACCOUNT_MEMBER, FEDERATED_ROLE, pool_of
from infra.policy.declared import UNKNOWN, Declared
from infra.policy.finding import Finding, Undecided, Violation, expect, judge
from infra.policy.grants import account_of, is_grant, members
from infra.policy.project import POOL, PROVIDER
from infra.schema.tiers import is_development

ISSUER = "https://token.actions.githubusercontent.com"
PURPOSE = "assertion.event_name == 'pull_request' ? 'preview' : 'deploy'"
"""As in infra/deployer.py; tests/infra/test_policy_pack.py compares them."""

_TEXT = r'"(?:[^"\\]|\\.)*"'
_CLAIM = rf"assertion\.(?:repository|repository_id|repository_owner_id) == {_TEXT}"
_RUN = (
    r"assertion\.event_name in \['push', 'workflow_dispatch'\]"
    rf"(?: && assertion\.environment == {_TEXT})?(?: && assertion\.ref == {_TEXT})?"
)
_CONDITION = re.compile(
    rf"(?P<whose>{_CLAIM}(?: && {_CLAIM})*) && "
    rf"(?:(?P<run>{_RUN})|(?P<pull>\(assertion\.event_name == 'pull_request' \|\| \((?P<or>{_RUN})\)\)))"
)
_NAMED = re.compile(rf"assertion\.(\w+) == {_TEXT}")
_FOREIGN = ("aws", "saml", "x509", "oidc.jwksJson")
"""Other ways for a provider to say whose tokens it takes; with keys of one's own, GitHub's issuer is only a word."""


def provider_condition(resource: Declared, env: str) -> Iterator[Finding]:
    """A provider takes GitHub's tokens only, of one repository, and of events on one branch or environment; outside development the repository's number, the branch and the environment are all named."""
    if resource.type != PROVIDER:
        return
    yield from expect(resource, "oidc.issuerUri", _is_github, f'"{ISSUER}"', "deploy from GitHub")
    for path in _FOREIGN:
        yield from expect(resource, path, _is_absent, "left out", "take GitHub's tokens, by its own keys")
    allowed = partial(_is_bound, is_development(env))
    must = "the repository, the event, and the branch and the environment, as infra/deployer.py writes them"
    yield from expect(resource, "attributeCondition", allowed, must, "write what attribute_condition() does")
    if _takes_pull_requests(resource.at("attributeCondition")):
        mapping = resource.at("attributeMapping") or {}
        # A key with a dot is no path.
        found = UNKNOWN if mapping is UNKNOWN else mapping.get("attribute.purpose")
        must = f'"{PURPOSE}", as pull requests are let in'
        yield from judge(resource, "attributeMapping.purpose", found, partial(eq, PURPOSE), must, "map it so")


def _is_github(value: Any) -> bool:
    return bool(value == ISSUER)


def _is_absent(value: Any) -> bool:
    return value is None


def _is_bound(development: bool, condition: Any) -> bool:
    """Whether it is written as the program does: what merely contains the words could say `|| true` as well."""
    found = _CONDITION.fullmatch(str(condition))
    if found is None:
        return False
    whose = set(_NAMED.findall(found["whose"]))
    run = set(_NAMED.findall(found["run"] or found["or"]))
    if development:
        return bool(whose & {"repository", "repository_id"} and run & {"ref", "environment"})
    return "repository_id" in whose and run == {"ref", "environment"} and found["pull"] is None


def _takes_pull_requests(condition: Any) -> bool:
    return "pull_request" in str(condition)


def federated_members(resources: Sequence[Declared], env: str) -> Iterator[Finding]:
    """An account is opened by members of a pool that the stack declares, and only such a pool has providers."""
    pools = [pool for pool in resources if pool.type == POOL]
    for grant in _federated(resources):
        yield from _judged_member(grant, pools)
    ids = {pool.at("workloadIdentityPoolId") for pool in pools}
    for provider in resources:
        id = provider.at("workloadIdentityPoolId")
        if provider.type != PROVIDER or (id in ids and id is not UNKNOWN):
            continue
        if id is UNKNOWN or UNKNOWN in ids:
            yield Undecided(provider, "workloadIdentityPoolId")
        else:
            remedy = "declare the pool here: who adds a provider to a pool opens what the pool opens"
            yield Violation(provider, "workloadIdentityPoolId", id, "a pool of this stack", remedy)


def _federated(resources: Sequence[Declared]) -> list[Declared]:
    return [each for each in resources if each.type == ACCOUNT_MEMBER and each.at("role") == FEDERATED_ROLE]


def _judged_member(grant: Declared, pools: Sequence[Declared]) -> Iterator[Finding]:
    member = grant.at("member")
    name = pool_of(member)
    if member is UNKNOWN:
        yield Undecided(grant, "member")
    elif name is None:
        return  # as account-members has said before
    elif name not in {pool.at("name") for pool in pools}:
        if any(_may_be(pool, name) for pool in pools):
            yield Undecided(grant, "member")
        else:
            must, remedy = "of a pool that this stack declares", "others decide who is in another pool"
            yield Violation(grant, "member", member, must, remedy)


def _may_be(pool: Declared, name: str) -> bool:
    """A pool's name has the project's number, which Google says when it makes the pool."""
    id = pool.at("workloadIdentityPoolId")
    return not isinstance(pool.at("name"), str) and id in (UNKNOWN, name.rpartition("/")[2])


def preview_roles(resources: Sequence[Declared], env: str) -> Iterator[Finding]:
    """An account that pull requests open has no role."""
    conditions = [each.at("attributeCondition") for each in resources if each.type == PROVIDER]
    opened = set()
    for grant in _federated(resources):
        previews = _is_for_previews(grant.at("member"), conditions)
        if UNKNOWN in (previews, grant.at("serviceAccountId")):
            yield Undecided(grant, "serviceAccountId" if previews is not UNKNOWN else "member")
        elif previews:
            opened.add(str(grant.at("serviceAccountId")).rpartition("/")[2].lower())
    for grant in filter(is_grant, resources):
        for path, member in members(grant).items():
            if account_of(member) in opened:
                remedy = "open the account to /attribute.purpose/deploy only, or take the role away"
                yield Violation(grant, path, member, "an account that no pull request opens", remedy)


def _is_for_previews(member: Any, conditions: Sequence[Any]) -> Any:
    """Whether a pull request may be this member. Where any comes in, all but those that are there to deploy."""
    if member is UNKNOWN or str(member).endswith("/attribute.purpose/deploy"):
        return UNKNOWN if member is UNKNOWN else False
    if "/attribute.purpose/" in str(member) or any(map(_takes_pull_requests, conditions)):
        return True
    return UNKNOWN if UNKNOWN in conditions else False
