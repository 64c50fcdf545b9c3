"""Who may deploy, and with which rights: against GitHub's claims, and against what the program declares."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
import recorded as recording
from pydantic import ValidationError
from recorded import COMPONENT, Recorded, record
from stack_files import ENVIRONMENTS, changed, filled_in, parsed

from infra import deployer
from infra import stack as stacks
from infra.components.deployer import Deployer
from infra.components.registry import Registry
from infra.components.service import account
from infra.schema.ci import CiConfig
from infra.schema.ci_rules import ci as rules
from infra.stack import StackRefused

REPOSITORY = "acme/docs"
BRANCH = {"repository": REPOSITORY, "branch": "main"}
NUMBERS = {"repository_id": "123456789", "owner_id": "98765"}
APPROVED = {**BRANCH, **NUMBERS, "environment": "prod"}
KEY = "projects/acme-docs/locations/europe-southwest1/keyRings/r/cryptoKeys/k"
OPTIONS = {
    "ci": {**BRANCH, "previews": True},
    "encryption_key": KEY,
    "notify": {"emails": ["team@example.com"]},
    "services.gateway.secrets": {"API_KEY": {"secret": "api-key"}},
    "services.extract.env.GEMINI_MODEL": "gemini-2.5-flash",
}
"""What makes the program declare one of every type, together with `build`."""


# ---- what the program declares -------------------------------------------------------------------------------------


def everything() -> dict[str, Any]:
    """Stack dev with every option taken."""
    values = filled_in("dev")
    for path, value in OPTIONS.items():
        values = changed(values, path, value)
    return changed(changed(values, "services.archive.image", ...), "build", True)


@pytest.fixture(scope="module")
def programs() -> list[Recorded]:
    return [*(record(env, filled_in(env)) for env in ENVIRONMENTS), record("dev", everything())]


def _types(programs: list[Recorded]) -> set[str]:
    return {
        typ
        for program in programs
        for typ, _, _ in program.resources
        if not typ.startswith((COMPONENT, "pulumi:"))
    }


def test_every_type_that_the_program_declares_has_its_permissions(programs: list[Recorded]) -> None:
    """A new resource type without an entry would stop the pipeline with a 403, in prod last."""
    assert _types(programs) - deployer.PERMISSIONS.keys() - deployer.OWNERS.keys() == set()


def test_no_permission_is_left_of_what_is_no_longer_declared(programs: list[Recorded]) -> None:
    """Least privilege shrinks with the program."""
    assert (deployer.PERMISSIONS.keys() | deployer.OWNERS.keys()) - _types(programs) == set()


def test_the_roles_that_services_get_are_exactly_those_that_may_be_given(programs: list[Recorded]) -> None:
    """The conditions of the granting roles name them; what only an owner gives is not among them."""
    given: dict[bool, set[str]] = {True: set(), False: set()}
    for program in programs:
        for typ, _, inputs in program.resources:
            ours = str(inputs.get("member")).startswith("serviceAccount:deployer-")
            if typ in deployer.PERMISSIONS and "role" in inputs and not ours:
                given[typ == "gcp:projects/iAMMember:IAMMember"].add(inputs["role"])
    assert given == {True: set(deployer.ON_PROJECT), False: set(deployer.ON_RESOURCES)}


# ---- the three roles -----------------------------------------------------------------------------------------------

ALL = (*deployer.deploying(), *deployer.granting(), *deployer.granting_on_project())
FORBIDDEN = [
    r"iam\.roles\.(create|update|delete|undelete)",  # could widen its own role
    r"iam\.serviceAccounts\.(actAs|getAccessToken|signBlob|signJwt|implicitDelegation|setIamPolicy)",  # any account
    r"iam\.serviceAccountKeys\..*",  # keys outlive the workflow
    r"iam\.workloadIdentityPool.*\.(create|update|delete)",  # could let in others
    r"artifactregistry\.repositories\.setIamPolicy",
    r"cloudkms\..*\.(setIamPolicy|useTo.*)",
    r"secretmanager\.versions\.access",
    r"serviceusage\.services\.disable",
    r".*\*.*",
]  # fmt: skip


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_no_permission_lets_the_deployer_widen_its_own_rights(pattern: str) -> None:
    """What the entry of an owner's resource must never grow into."""
    assert not [each for each in ALL if re.fullmatch(pattern, each)]


def test_roles_are_given_under_a_condition_only() -> None:
    """The first role, which has none, gives none; and what is harmless on one bucket is not on the project."""
    assert not [each for each in deployer.deploying() if "setIamPolicy" in each]
    assert all(each.endswith(".setIamPolicy") for each in deployer.granting())
    assert "resourcemanager.projects.setIamPolicy" not in deployer.granting()
    assert deployer.granting_on_project() == ["resourcemanager.projects.setIamPolicy"]
    assert not set(deployer.ON_PROJECT) & set(deployer.ON_RESOURCES)


@pytest.mark.parametrize("roles", [deployer.ON_PROJECT, deployer.ON_RESOURCES])
def test_a_condition_names_each_role_once_and_few_enough(roles: tuple[str, ...]) -> None:
    """Google takes 10 roles in a `hasOnly`."""
    assert re.findall(r"'(roles/[^']+)'", deployer.only(roles)) == list(roles)
    assert len(set(roles)) == len(roles) <= 10


def test_permissions_look_like_permissions() -> None:
    """`service.resource.verb`; a role with a misspelt one cannot be created."""
    for each in ALL:
        assert re.fullmatch(r"[a-z]+\.[a-zA-Z]+\.[a-zA-Z]+", each), each


# ---- whose workflows -----------------------------------------------------------------------------------------------


def _cel(expression: str, claims: dict[str, str]) -> Any:
    """The expression's value. CEL's own words in Python's: enough for `==`, `in`, `+`, `&&`, `||` and one `? :`."""
    python = expression.replace("&&", " and ").replace("||", " or ")
    if match := re.fullmatch(r"(.*) \? (.*) : (.*)", python):
        python = f"{match[2]} if {match[1]} else {match[3]}"
    try:
        return eval(python, {"__builtins__": {}}, {"assertion": SimpleNamespace(**claims)})
    except AttributeError:
        return False  # a claim that is missing refuses the token


def _claims(**more: str) -> dict[str, str]:
    """A token of a push to main, without an environment."""
    return {
        "repository": REPOSITORY,
        "repository_id": "123456789",
        "repository_owner_id": "98765",
        "ref": "refs/heads/main",
        "event_name": "push",
        "run_id": "9876543210",
        **more,
    }


TOKENS = [
    (BRANCH, _claims(), "deploy"),
    (BRANCH, _claims(event_name="workflow_dispatch"), "deploy"),
    (BRANCH, _claims(environment="dev"), "deploy"),
    (BRANCH, _claims(repository="acme/docs2"), None),
    (BRANCH, _claims(repository="evil/docs"), None),
    (BRANCH, _claims(ref="refs/heads/feature"), None),
    (BRANCH, _claims(ref="refs/tags/main"), None),
    (BRANCH, _claims(ref="refs/heads/main2"), None),
    # It runs on the branch's own commit, but whenever a stranger opens a pull request.
    (BRANCH, _claims(event_name="pull_request_target"), None),
    (BRANCH, _claims(event_name="issue_comment"), None),
    (BRANCH, _claims(event_name="workflow_run"), None),
    (BRANCH, _claims(event_name="pull_request", ref="refs/pull/7/merge"), None),
    (APPROVED, _claims(environment="prod"), "deploy"),
    (APPROVED, _claims(environment="staging"), None),
    (APPROVED, _claims(), None),
    (APPROVED, _claims(environment="prod", ref="refs/heads/feature"), None),
    (APPROVED, _claims(environment="prod", event_name="pull_request"), None),
    # The name is free again once its repository is renamed or deleted, and so is the owner's.
    ({**BRANCH, **NUMBERS}, _claims(), "deploy"),
    ({**BRANCH, **NUMBERS}, _claims(repository_id="5"), None),
    ({**BRANCH, **NUMBERS}, _claims(repository_owner_id="5"), None),
    ({**BRANCH, "repository_id": "123456789"}, _claims(repository_owner_id="5"), "deploy"),
    ({**BRANCH, "owner_id": "98765"}, _claims(repository_owner_id="5"), None),
    ({**BRANCH, **NUMBERS}, _claims(repository="acme/renamed"), None),
    ({**BRANCH, **NUMBERS, "previews": True}, _claims(event_name="pull_request", repository_id="5"), None),
    ({"repository": REPOSITORY, "environment": "prod"}, _claims(environment="prod", ref="refs/tags/v1"), "deploy"),
    ({**BRANCH, "previews": True}, _claims(), "deploy"),
    ({**BRANCH, "previews": True}, _claims(event_name="pull_request", ref="refs/pull/7/merge"), "preview"),
    ({**BRANCH, "previews": True}, _claims(event_name="pull_request", repository="evil/docs"), None),
    ({**BRANCH, "previews": True}, _claims(event_name="pull_request_target"), None),
    ({**BRANCH, "previews": True}, _claims(ref="refs/heads/feature"), None),
    # A pull request never deploys, whichever environment its workflow names.
    ({**APPROVED, "previews": True}, _claims(event_name="pull_request", environment="prod"), "preview"),
    ({"repository": REPOSITORY, "branch": "it's\"ok"}, _claims(ref="refs/heads/it's\"ok"), "deploy"),
    ({"repository": REPOSITORY, "branch": '"||true||"'}, _claims(), None),
]  # fmt: skip


@pytest.mark.parametrize(("config", "claims", "purpose"), TOKENS)
def test_a_token_deploys_or_previews_or_is_refused(
    config: dict[str, Any], claims: dict[str, str], purpose: str | None
) -> None:
    """Bound to one repository, and to its branch or environment."""
    ci = CiConfig.model_validate(config)
    taken = _cel(deployer.attribute_condition(ci), claims)
    found = _cel(deployer.attribute_mapping()["attribute.purpose"], claims) if taken else None
    assert found == purpose


def test_the_audit_log_names_the_run() -> None:
    """`github.com/acme/docs/actions/runs/9876543210` is who did it."""
    assert _cel(deployer.attribute_mapping()["google.subject"], _claims()) == "acme/docs/9876543210"


def test_a_condition_fits_google_s_limit() -> None:
    """4096 characters, and 127 bytes of a subject with the longest repository that is allowed."""
    ci = CiConfig(
        repository="a" * 39 + "/" + "b" * 60,
        repository_id="9" * 20,
        owner_id="9" * 20,
        branch="c" * 200,
        environment="d" * 100,
        previews=True,
    )
    assert len(deployer.attribute_condition(ci)) < 4096
    assert len(ci.repository + "/" + "9" * 20) <= 127


# ---- the component -------------------------------------------------------------------------------------------------


def _declare_ci(monkeypatch: pytest.MonkeyPatch, config: dict[str, Any], env: str = "dev") -> Recorded:
    """The component alone, with the accounts of two services."""

    def declare() -> None:
        this = stacks.read()
        assert this.ci
        accounts = {
            name: account(this, name, recording.pulumi.ResourceOptions()) for name in ("gateway", "extract")
        }
        Deployer(this, this.ci, Registry(this), accounts)

    monkeypatch.setattr(recording, "declare", declare)
    return record(env, changed(filled_in(env), "ci", config))


DEPLOYER = "serviceAccount:deployer-dev@acme-docs.iam.gserviceaccount.com"
POOL = "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/github-dev/attribute.purpose"


def test_only_tokens_of_its_purpose_open_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pull request is never the deployer, not even of a stack that it may preview."""
    recorded = _declare_ci(monkeypatch, {**BRANCH, "previews": True})
    opened = {
        (inputs["member"], inputs["serviceAccountId"].rpartition("/")[2].partition("@")[0])
        for inputs in recorded.of("IAMMember").values()
        if inputs["role"] == "roles/iam.workloadIdentityUser"
    }
    assert opened == {(f"{POOL}/deploy", "deployer-dev"), (f"{POOL}/preview", "previewer-dev")}


def test_the_previewer_has_no_role_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A preview asks nothing of Google; what it reads is the state (docs/deployment.md)."""
    recorded = _declare_ci(monkeypatch, {**BRANCH, "previews": True})
    assert not [name for name, inputs in recorded.of("IAMMember").items() if "previewer" in inputs["member"]]
    assert "previewer-dev" not in _declare_ci(monkeypatch, BRANCH).of("Account")


def test_the_deployer_s_grants_are_these_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three roles of its own on the project, two of them limited; the registry; and to be the services' accounts."""
    recorded = _declare_ci(monkeypatch, BRANCH)
    grants = {
        name: (inputs["role"].rpartition("/")[2], inputs.get("condition", {}).get("expression"))
        for kind in ("IAMMember", "RepositoryIamMember")
        for name, inputs in recorded.of(kind).items()
        if inputs["member"] == DEPLOYER
    }
    assert grants == {
        "deployer-deploying-dev": ("deploying_dev", None),
        "deployer-granting-dev": ("granting_dev", deployer.only(deployer.ON_RESOURCES)),
        "deployer-granting-on-project-dev": ("granting_on_project_dev", deployer.only(deployer.ON_PROJECT)),
        "deployer-pushes-dev": ("artifactregistry.writer", None),
        "deployer-deploys-gateway-dev": ("iam.serviceAccountUser", None),
        "deployer-deploys-extract-dev": ("iam.serviceAccountUser", None),
    }


def test_github_is_asked_for_its_own_repository_s_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """One issuer for all of GitHub: without a condition every repository of the world could come."""
    (provider,) = _declare_ci(monkeypatch, BRANCH).of("WorkloadIdentityPoolProvider").values()
    assert provider["oidc"] == {"issuerUri": "https://token.actions.githubusercontent.com"}
    assert provider["attributeCondition"].startswith('assertion.repository == "acme/docs" && ')


def test_a_custom_role_has_no_hyphen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Google refuses one in a role's id, and takes one in a stack's name."""
    recorded = _declare_ci(monkeypatch, BRANCH, "dev")
    roles = {role["roleId"] for role in recorded.of("IAMCustomRole").values()}
    assert roles == {"deploying_dev", "granting_dev", "granting_on_project_dev"}
    assert deployer.role_id(parsed("dev", filled_in("dev")).model_copy(update={"env": "a-b"}), "x") == "x_a_b"


# ---- the rules of the stack file -----------------------------------------------------------------------------------

MISTAKES = [
    ("dev", {"repository": REPOSITORY}, "blueprint:ci.branch is missing, but must be a branch such as main"),
    ("prod", BRANCH, "blueprint:ci.environment is missing, but must be a GitHub environment such as prod in prod"),
    ("staging", BRANCH, "create it in acme/docs and set blueprint:ci.environment."),
    ("prod", {**APPROVED, "repository_id": None}, "blueprint:ci.repository_id is missing, but must be the number of the repository in prod"),
    ("staging", {**APPROVED, "owner_id": None}, "set blueprint:ci.owner_id to what `gh api repos/acme/docs --jq .owner.id` prints, in quotes."),
    ("dev", {**BRANCH, "repository_id": 123456789}, 'but must be digits in quotes, such as "123456789", or absent'),
    ("dev", {**BRANCH, "owner_id": "acme"}, 'but must be digits in quotes, such as "123456789", or absent'),
    ("prod", {**APPROVED, "previews": True}, "blueprint:ci.previews is true, but must be false in prod"),
    ("local", BRANCH, 'blueprint:ci is "acme/docs", but must be absent in stack local'),
    ("dev", {**BRANCH, "repository": "a/" + "b" * 99}, "but must be at most 100 characters"),
    ("dev", {**BRANCH, "repository": "docs"}, "but must be a repository such as acme/docs"),
    ("dev", {**BRANCH, "branch": "a b"}, "but must be a branch such as main"),
    ("dev", {**BRANCH, "environmnet": "dev"}, "write environment"),
]  # fmt: skip


@pytest.mark.parametrize(("env", "config", "says"), MISTAKES)
def test_a_mistake_in_ci_is_refused(env: str, config: dict[str, Any], says: str) -> None:
    """Who may deploy is never wider than it looks."""
    stack = parsed(env, filled_in(env))
    try:
        found = "\n".join(map(str, rules(stack.model_copy(update={"ci": CiConfig.model_validate(config)}))))
    except ValidationError:
        with pytest.raises(StackRefused) as refused:
            parsed(env, changed(filled_in(env), "ci", config))
        found = str(refused.value)
    assert says in found


@pytest.mark.parametrize(
    ("env", "config"),
    [("dev", BRANCH), ("dev", {**BRANCH, "previews": True}), ("prod", APPROVED), ("dev", {})],
)
def test_what_is_meant_is_accepted(env: str, config: dict[str, Any]) -> None:
    """The rules refuse mistakes only; an empty map is none at all."""
    assert list(rules(parsed(env, changed(filled_in(env), "ci", config)))) == []


def test_a_service_cannot_take_ci_s_account() -> None:
    """`deployer-dev` would be the service's and the workflow's at once."""
    stack = parsed("dev", changed(filled_in("dev"), "ci", BRANCH))
    services = {**stack.services, "deployer": stack.services["archive"]}
    (problem,) = rules(stack.model_copy(update={"services": services}))
    assert "blueprint:services.deployer" in str(problem)
