"""The policy pack as a whole: complete, documented, and apart from Pulumi."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from typing import Any

import pytest
from policy_stack import BY_NAME, declared
from recorded import record
from stack_files import ROOT, changed, filled_in

import infra.policy
from infra import deployer
from infra.policy import additions, cloudrun, custom, federation, kinds, permissions
from infra.policy.declared import UNKNOWN, Declared, plain
from infra.policy.kinds import INSTEAD
from infra.policy.project import PROVIDER
from infra.policy.roles import added_roles
from infra.policy.rules import RULES
from infra.schema.ci import CiConfig
from tests.infra.stack_options import with_options


def test_every_rule_is_registered_exactly_once() -> None:
    """A function (resource or resources, env) of a theme that nobody lists would protect nothing."""
    written = [
        function
        for module in pkgutil.iter_modules(infra.policy.__path__, "infra.policy.")
        if not module.name.endswith(("__main__", ".pack"))
        for _, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction)
        if function.__module__ == module.name
        and not function.__name__.startswith("_")
        and list(inspect.signature(function).parameters)[1:] == ["env"]
        and next(iter(inspect.signature(function).parameters)) in ("resource", "resources")
    ]
    listed = [rule.each or rule.whole for rule in RULES]
    assert sorted(map(str, listed)) == sorted(map(str, written))
    assert len(BY_NAME) == len(RULES)


def test_rules_know_nothing_of_pulumi() -> None:
    """Only the pack does: rules run in any environment, and on any description of a resource."""
    for path in sorted((ROOT / "infra" / "policy").glob("*.py")):
        if path.name != "pack.py":
            assert "import pulumi" not in path.read_text(encoding="utf-8"), path
            assert "from pulumi" not in path.read_text(encoding="utf-8"), path


def test_the_rules_load_in_the_packs_own_environment() -> None:
    """It has neither the program's pydantic nor its provider, whatever of infra/schema/ a rule imports."""
    absent = ("pydantic", "pulumi_gcp", "pulumi_docker_build", "yaml")
    program = f"import sys; sys.modules.update(dict.fromkeys({absent})); import infra.policy.rules"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_role_that_gives_roles_is_limited_to_those_of_the_program() -> None:
    """What the deployer may give and what the pack lets it give are said twice, so that one guards the other."""
    assert custom.GIVEN_ON_PROJECT <= {*deployer.ON_PROJECT} <= custom.GIVEN_ON_PROJECT | added_roles(True)
    assert (
        custom.GIVEN_ON_RESOURCES
        <= {*deployer.ON_RESOURCES}
        <= custom.GIVEN_ON_RESOURCES | added_roles(False)
    )


def test_what_the_pack_lets_pass_is_what_the_program_declares() -> None:
    """Types, permissions and whose tokens are taken are said twice too: nothing is let pass that the program does not need,
    but for what a team names with a reason.
    """
    declares = {*deployer.PERMISSIONS, *deployer.OWNERS, cloudrun.JOB, cloudrun.WORKER_POOL}
    assert kinds.JUDGED <= declares <= kinds.JUDGED | additions.TYPES.keys()
    holds = {*deployer.deploying(), *deployer.granting(), *deployer.granting_on_project()}
    assert permissions.ASKED <= holds <= permissions.ASKED | additions.PERMISSIONS.keys()
    assert deployer.ISSUER == federation.ISSUER
    assert deployer.attribute_mapping()["attribute.purpose"] == federation.PURPOSE


CI = {
    "repository": "acme/docs",
    "repository_id": "1",
    "owner_id": "2",
    "branch": 'a"||b',
    "environment": "prod",
}


@pytest.mark.parametrize(
    ("env", "left_out", "previews", "allowed"),
    [
        ("prod", (), False, True),
        ("prod", ("owner_id",), False, True),
        ("prod", ("repository_id",), False, False),
        ("prod", ("branch",), False, False),
        ("staging", ("environment",), False, False),
        ("staging", (), True, False),
        ("dev", ("repository_id", "owner_id", "environment"), False, True),
        ("dev", ("repository_id", "owner_id", "branch"), True, True),
        ("dev", ("branch", "environment"), False, False),
    ],
)
def test_conditions_that_the_program_writes_are_understood(
    env: str, left_out: tuple[str, ...], previews: bool, allowed: bool
) -> None:
    """Whatever of `blueprint:ci` is set; what the schema refuses the pack refuses as well."""
    given = {key: value for key, value in CI.items() if key not in left_out}
    provider = {
        "oidc": {"issuerUri": deployer.ISSUER},
        "attributeCondition": deployer.attribute_condition(CiConfig(**given, previews=previews)),
        "attributeMapping": deployer.attribute_mapping(),
    }
    found = BY_NAME["provider-condition"].findings([Declared(PROVIDER, "github", provider)], env)
    assert (found == []) is allowed, list(map(str, found))


def test_previews_of_pull_requests_keep_the_rules_until_they_get_a_role() -> None:
    """The previewer's account opens what the state shows, and nothing in the project."""
    values = changed(with_options(filled_in("dev"), "ci"), "ci.previews", True)
    resources = declared(record("dev", values))
    assert [str(each) for rule in RULES for each in rule.findings(resources, "dev")] == []
    email = "previewer-dev@acme-docs.iam.gserviceaccount.com"
    grant = {"role": "roles/storage.objectUser", "member": f"serviceAccount:{email}"}
    resources.append(Declared("gcp:storage/bucketIAMMember:BucketIAMMember", "reads", grant))
    (said,) = BY_NAME["preview-roles"].findings(resources, "dev")
    assert str(said).startswith("reads: member is")


@pytest.mark.parametrize(
    ("resource", "key", "value", "rule"),
    [
        ("deployer-granting-dev", "condition", None, "limited-grants"),
        ("deployer-granting-on-project-dev", "condition", None, "limited-grants"),
        ("deployer-deploying-dev", "member", "user:a@b.c", "project-roles"),
        (
            "deployer-deploying-dev",
            "member",
            "serviceAccount:gateway-dev@acme-docs.iam.gserviceaccount.com",
            "custom-roles",
        ),
        ("deploying-dev", "permissions", ["iam.serviceAccounts.actAs"], "role-permissions"),
        ("deployer-deploys-gateway-dev", "role", "roles/iam.serviceAccountTokenCreator", "account-members"),
        ("github-is-deployer-dev", "member", "user:a@b.c", "account-members"),
        (
            "github-is-deployer-dev",
            "member",
            "principalSet://iam.googleapis.com/projects/666/locations/global/workloadIdentityPools/evil/*",
            "account-members",
        ),
        (
            "github-is-deployer-dev",
            "member",
            "principalSet://iam.googleapis.com/projects/666/locations/global/workloadIdentityPools/evil/group/a",
            "federated-members",
        ),
        ("github-dev", "attributeCondition", None, "provider-condition"),
        (
            "deployer-deploys-gateway-dev",
            "member",
            "serviceAccount:x@evil.iam.gserviceaccount.com",
            "grant-members",
        ),
        (
            "deployer-deploys-gateway-dev",
            "member",
            "serviceAccount:archive-dev@acme-docs.iam.gserviceaccount.com",
            "acting-accounts",
        ),
        ("deployer-pushes-dev", "role", "roles/owner", "resource-roles"),
    ],
)
def test_the_programs_own_deployer_keeps_the_rules_until_it_is_widened(
    resource: str, key: str, value: Any, rule: str
) -> None:
    """The rules see what the program really declares for blueprint:ci, and refuse it with one thing changed."""
    resources = declared(record("dev", with_options(filled_in("dev"), "ci")))
    assert [str(each) for each in BY_NAME[rule].findings(resources, "dev")] == []
    broken = [each for each in resources if each.name == resource][
        -1
    ]  # a pool and its provider have one name
    broken.properties[key] = value  # type: ignore[index]
    said = [str(each) for each in BY_NAME[rule].findings(resources, "dev")]
    assert len(said) == 1, said


def test_no_file_of_the_pack_hides_a_module_of_python() -> None:
    """Pulumi puts infra/policy first on sys.path."""
    names = {path.stem for path in (ROOT / "infra" / "policy").glob("*.py")} - {"__init__", "__main__"}
    assert not names & set(sys.stdlib_module_names)


def test_the_packs_lock_is_hashed_and_names_no_index() -> None:
    """Its environment is as reproducible as the program's."""
    text = (ROOT / "infra" / "policy" / "requirements.txt").read_text(encoding="utf-8")
    assert "pulumi-policy==" in text
    assert "--hash=sha256:" in text
    assert "://" not in text


def test_the_documents_list_every_rule() -> None:
    """docs/policy.md has each rule with its sentence and its level."""
    text = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    rows = [f"| `{rule.name}` | {rule.description} | {rule.level} |" for rule in RULES]
    assert re.findall(r"^\| `.* \| (?:mandatory|advisory) \|$", text, re.M) == rows


def test_the_documents_list_every_type_that_is_refused() -> None:
    """docs/policy.md says what to declare instead."""
    text = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    for kind, (instead, _) in INSTEAD.items():
        (row,) = [line for line in text.splitlines() if f"`{kind}`" in line and line.startswith("| `gcp:")]
        assert instead in row


def test_every_addition_has_a_reason() -> None:
    """A word is none; and a type or a permission that is refused for good cannot be added."""
    tables = (additions.TYPES, additions.ROLES, additions.PERMISSIONS, additions.MEMBERS)
    entries = {str(key): reason for table in tables for key, reason in table.items()}
    assert [key for key, reason in entries.items() if len(reason.split()) < 3] == []
    assert not set(additions.TYPES) & set(INSTEAD)
    assert not [each for each in additions.PERMISSIONS if permissions.EVERYTHING.fullmatch(each)]


TOPIC = "gcp:pubsub/topic:Topic"
PUBLISHES = ("gcp:pubsub/topicIAMMember:TopicIAMMember", "roles/pubsub.publisher")
CONNECTS = ("gcp:projects/iAMMember:IAMMember", "roles/cloudsql.client")
GATEWAY = "serviceAccount:gateway-dev@acme-docs.iam.gserviceaccount.com"


def _extend(monkeypatch: pytest.MonkeyPatch) -> list[Declared]:
    """The deployer as docs/policy.md extends it, and what the program then declares."""
    topics = {
        TOPIC: tuple(f"pubsub.topics.{verb}" for verb in ("create", "delete", "get", "update")),
        PUBLISHES[0]: ("pubsub.topics.getIamPolicy", "pubsub.topics.setIamPolicy"),
    }
    for kind, held in topics.items():
        monkeypatch.setitem(deployer.PERMISSIONS, kind, held)
    monkeypatch.setattr(deployer, "ON_RESOURCES", (*deployer.ON_RESOURCES, PUBLISHES[1]))
    monkeypatch.setattr(deployer, "ON_PROJECT", (*deployer.ON_PROJECT, CONNECTS[1]))
    return [
        *declared(record("dev", with_options(filled_in("dev"), "ci"))),
        Declared(TOPIC, "orders", {"name": "orders-dev", "project": "acme-docs"}),
        *(
            Declared(kind, role, {"role": role, "member": GATEWAY, "project": "acme-docs"})
            for kind, role in (PUBLISHES, CONNECTS)
        ),
    ]


def test_what_the_documents_add_can_be_deployed_by_the_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of docs/policy.md passes every rule, the limits of the deployer's own roles and the tests above included."""
    resources = _extend(monkeypatch)
    assert {rule.name for rule in RULES if rule.findings(resources, "dev")} == {
        *("judged-types", "resource-roles", "project-roles", "role-permissions", "limited-grants")
    }
    text = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(TYPES = .*?)^```", text, re.M | re.S)
    tables: dict[str, Any] = {}
    exec(example, tables)
    for name in ("TYPES", "ROLES", "PERMISSIONS", "MEMBERS"):
        monkeypatch.setattr(additions, name, tables[name])
    assert [str(each) for rule in RULES for each in rule.findings(resources, "dev")] == []
    test_a_role_that_gives_roles_is_limited_to_those_of_the_program()
    test_what_the_pack_lets_pass_is_what_the_program_declares()
    test_every_addition_has_a_reason()


def test_what_raises_where_it_is_not_known_becomes_plain() -> None:
    """Pulumi's proxies raise when an unknown value is looked at; rules get a value that says so."""

    class Raising(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            if key == "email":
                raise LookupError
            return super().__getitem__(key)

    proxy = Raising(email="?", list=[Raising(email="?"), 1.0], name="x")
    assert plain(proxy, LookupError) == {"email": UNKNOWN, "list": [{"email": UNKNOWN}, 1.0], "name": "x"}
