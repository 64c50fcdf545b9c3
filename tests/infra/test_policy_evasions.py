"""Ways around single rules: each is one more resource, or one changed property, in a stack that keeps every rule.

Unlike in the tables of test_policy_rules.py it does not matter which rule sees it.
"""

from __future__ import annotations

from typing import Any

import pytest
from policy_stack import CONDITION, OPENED, PROJECT, stack

from infra.policy import additions
from infra.policy.declared import UNKNOWN, Declared
from infra.policy.finding import Violation
from infra.policy.grants import PROJECT_MEMBER
from infra.policy.rules import RULES

POOLS = "principalSet://iam.googleapis.com/projects/666/locations/global/workloadIdentityPools"
ACCOUNT = f"projects/{PROJECT}/serviceAccounts/deployer-prod@{PROJECT}.iam.gserviceaccount.com"
GATEWAY = f"serviceAccount:gateway-prod@{PROJECT}.iam.gserviceaccount.com"
PROVIDER = "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider"
USES = "gcp:serviceaccount/iAMMember:IAMMember"
SECRET = "gcp:secretmanager/secretIamMember:SecretIamMember"
BUCKET = "gcp:storage/bucketIAMMember:BucketIAMMember"
INVOKER = "gcp:cloudrunv2/serviceIamMember:ServiceIamMember"
GITHUB = {
    "oidc": {"issuerUri": "https://token.actions.githubusercontent.com"},
    "workloadIdentityPoolId": "github-prod",
}
TOPIC = "gcp:pubsub/topic:Topic"
TOPIC_MEMBER = "gcp:pubsub/topicIAMMember:TopicIAMMember"

MORE: list[tuple[str, dict[str, Any]]] = [
    (PROVIDER, GITHUB),
    (PROVIDER, {**GITHUB, "attributeCondition": 'assertion.repository_owner == "acme"'}),
    (PROVIDER, {**GITHUB, "attributeCondition": CONDITION, "workloadIdentityPoolId": "another"}),
    (USES, {"role": "roles/iam.workloadIdentityUser", "member": f"{POOLS}/evil/*", "serviceAccountId": ACCOUNT}),
    (USES, {"role": "roles/iam.workloadIdentityUser", "member": f"{OPENED}/*", "serviceAccountId": ACCOUNT}),
    (USES, {"role": "roles/iam.serviceAccountUser", "member": "serviceAccount:x@evil.iam.gserviceaccount.com"}),
    (USES, {"role": "roles/iam.serviceAccountUser", "member": "serviceAccount:123-compute@developer.gserviceaccount.com"}),
    ("gcp:iam/workloadIdentityPoolIamMember:WorkloadIdentityPoolIamMember", {"role": "roles/owner", "member": GATEWAY}),
    ("gcp:privilegedaccessmanager/entitlement:Entitlement", {"privilegedAccess": {"gcpIamAccess": {"roleBindings": [{"role": "roles/owner"}]}}}),
    ("gcp:projects/apiKey:ApiKey", {"serviceAccountEmail": ACCOUNT.rpartition("/")[2]}),
    ("gcp:projects/iamMemberRemove:IamMemberRemove", {"role": "roles/owner", "member": "user:owner@example.com"}),
    ("gcp:projects/iAMAuditConfig:IAMAuditConfig", {"service": "allServices", "auditLogConfigs": []}),
    ("gcp:compute/instance:Instance", {"machineType": "e2-micro"}),
    ("gcp:cloudfunctionsv2/function:Function", {"location": "europe-west1"}),
    ("gcp:deploymentmanager/deployment:Deployment", {}),
    ("command:local:Command", {"create": "gcloud projects add-iam-policy-binding"}),
    ("pulumi-python:dynamic:Resource", {"__provider": "…"}),
    ("blueprint:index:Service/evil:Thing", {}),
    ("acme:index:Component", {}),
    ("gcp:cloudrunv2/serviceIamBinding:ServiceIamBinding", {"role": "roles/run.invoker", "name": "archive-prod", "members": [GATEWAY]}),
    (SECRET, {"role": "roles/owner", "member": "user:a@b.c"}),
    (SECRET, {"role": "roles/secretmanager.secretAccessor", "member": "user:a@b.c"}),
    (INVOKER, {"role": "roles/run.admin", "member": "user:a@b.c", "name": "gateway-prod", "location": "europe-west1"}),
    (INVOKER, {"role": "roles/run.invoker", "member": "domain:gmail.com", "name": "archive-prod", "location": "europe-west1"}),
    (BUCKET, {"role": "roles/storage.admin", "member": GATEWAY}),
    (BUCKET, {"role": f"projects/{PROJECT}/roles/giving_prod", "member": GATEWAY}),
    ("gcp:projects/iAMCustomRole:IAMCustomRole", {"roleId": "x", "permissions": ["deploymentmanager.deployments.create"]}),
    ("gcp:projects/iAMCustomRole:IAMCustomRole", {"roleId": "x", "permissions": ["cloudbuild.builds.create"]}),
    ("gcp:projects/iAMCustomRole:IAMCustomRole", {"roleId": "x", "permissions": ["secretmanager.versions.access"]}),
    ("gcp:storage/bucketIAMPolicy:BucketIAMPolicy", {"policyData": r'{"bindings": [{"members": ["\u0061llUsers"]}]}'}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "properties"), MORE)
def test_a_resource_more_opens_nothing(kind: str, properties: dict[str, Any]) -> None:
    """Some rule refuses it, and it alone."""
    resources = [*stack(), Declared(kind, "evasive", properties)]
    said = [
        each for rule in RULES for each in rule.findings(resources, "prod") if isinstance(each, Violation)
    ]
    assert said
    assert {each.resource.name for each in said} == {"evasive"}


@pytest.mark.parametrize("first", [True, False])
def test_a_public_service_opens_none_of_its_name_in_another_region(first: bool) -> None:
    """Whichever of the two is declared last."""
    sound = stack("strangers.location", "us-central1")
    sibling = next(
        each for each in stack("sibling.labels.service", "gateway") if each.at("location") == "us-central1"
    )
    resources = [sibling, *sound] if first else [*sound, sibling]
    rule = next(rule for rule in RULES if rule.name == "public-services")
    (said,) = rule.findings(resources, "prod")
    assert str(said).startswith("gateway-public: member is")


@pytest.mark.parametrize(
    "kind",
    [
        "blueprint:index:Service",
        "pulumi:pulumi:Stack",
        "pulumi:providers:gcp",
        "pulumi:providers:docker-build",
    ],
)
def test_components_and_pulumis_own_are_left_alone(kind: str) -> None:
    """The engine shows them to the pack like any resource."""
    resources = [*stack(), Declared(kind, "x", {"project": UNKNOWN})]
    assert [str(each) for rule in RULES for each in rule.findings(resources, "prod")] == []


def test_an_addition_lets_pass_what_it_names_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic, who publishes there, a role that makes topics, a group of people: each is refused until it is named."""
    publisher = {"role": "roles/pubsub.publisher", "member": "group:all@b.c", "topic": "t"}
    role = {"roleId": "x", "permissions": ["pubsub.topics.create"], "project": PROJECT}
    wide = {"role": "roles/cloudsql.client", "member": GATEWAY, "project": PROJECT}
    resources = [
        *stack(),
        Declared(TOPIC, "topic", {}),
        Declared(TOPIC_MEMBER, "publishes", publisher),
        Declared("gcp:projects/iAMCustomRole:IAMCustomRole", "role", role),
        Declared("gcp:projects/iAMMember:IAMMember", "connects", wide),
    ]

    def refused() -> set[tuple[str, str]]:
        return {
            (rule.name, each.resource.name) for rule in RULES for each in rule.findings(resources, "prod")
        }

    everything = {
        ("judged-types", "topic"),
        ("judged-types", "publishes"),
        ("resource-roles", "publishes"),
        ("grant-members", "publishes"),
        ("role-permissions", "role"),
        ("project-roles", "connects"),
    }
    assert refused() == everything
    for table, key, passes in (
        (additions.TYPES, TOPIC, {("judged-types", "topic")}),
        (additions.TYPES, TOPIC_MEMBER, {("judged-types", "publishes")}),
        (additions.ROLES, (TOPIC_MEMBER, "roles/pubsub.publisher"), {("resource-roles", "publishes")}),
        (additions.MEMBERS, "group:all@b.c", {("grant-members", "publishes")}),
        (additions.PERMISSIONS, "pubsub.topics.create", {("role-permissions", "role")}),
        (additions.ROLES, ("gcp:projects/iAMMember:IAMMember", "roles/cloudsql.client"), {("project-roles", "connects")}),
    ):  # fmt: skip
        monkeypatch.setitem(table, key, "orders are queued until a worker has time")  # type: ignore[arg-type]
        everything -= passes
        assert refused() == everything
    assert everything == set()


def _gives(role: str) -> Declared:
    """The deployer's second role of the stack that keeps every rule, with one role that it may give."""
    expression = f"api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly(['{role}'])"
    properties = {
        "role": f"projects/{PROJECT}/roles/giving_prod",
        "member": f"serviceAccount:{ACCOUNT.rpartition('/')[2]}",
        "condition": {"expression": expression},
    }
    return Declared(PROJECT_MEMBER, "gives more", properties)


@pytest.mark.parametrize(
    ("table", "key", "resource"),
    [
        (additions.ROLES, (SECRET, "roles/owner"), Declared(SECRET, "x", {"role": "roles/owner", "member": GATEWAY})),
        (additions.ROLES, (PROJECT_MEMBER, "roles/editor"), Declared(PROJECT_MEMBER, "x", {"role": "roles/editor", "member": GATEWAY})),
        (additions.TYPES, "gcp:serviceaccount/key:Key", Declared("gcp:serviceaccount/key:Key", "x", {})),
        (
            additions.PERMISSIONS,
            "iam.serviceAccounts.actAs",
            Declared(
                "gcp:projects/iAMCustomRole:IAMCustomRole", "x", {"permissions": ["iam.serviceAccounts.actAs"]}
            ),
        ),
        (additions.MEMBERS, "user:a@b.c", Declared(USES, "x", {"role": "roles/iam.serviceAccountUser", "member": "user:a@b.c"})),
        (additions.ROLES, (SECRET, "roles/owner"), _gives("roles/owner")),
        (additions.ROLES, (USES, "roles/iam.serviceAccountUser"), _gives("roles/iam.serviceAccountUser")),
        (additions.ROLES, (PROJECT_MEMBER, "roles/cloudsql.client"), _gives("roles/cloudsql.client")),
        (additions.MEMBERS, "allUsers", Declared(BUCKET, "x", {"role": "roles/storage.objectUser", "member": "allUsers"})),
    ],
)  # fmt: skip
def test_an_addition_opens_nothing_that_is_refused_for_good(
    monkeypatch: pytest.MonkeyPatch, table: dict[Any, str], key: Any, resource: Declared
) -> None:
    """Basic roles, keys, rights to be any account, people as deployers, and strangers; nor may the deployer give on resources
    what is refused there, or what was added for service accounts or the project.
    """
    monkeypatch.setitem(table, key, "it was easier that way")
    found = [each for rule in RULES for each in rule.findings([*stack(), resource], "prod")]
    assert [each for each in found if isinstance(each, Violation)]
