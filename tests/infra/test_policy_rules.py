"""Each rule of the policy pack: what it lets pass, what it refuses and in which words, and what it cannot tell yet."""

from __future__ import annotations

import re
from typing import Any

import pytest
from policy_stack import BY_NAME, GOOD, MARK, RATIO, REMOVED, hidden, stack, verdicts

from infra.policy.declared import UNKNOWN, Declared
from infra.policy.finding import Undecided

C = "template.containers.0"
TAG = "europe-west1-docker.pkg.dev/acme-docs/services-prod/app:1"
DEFAULT = "123456-compute@developer.gserviceaccount.com"
ARCHIVE = "archive-prod@acme-docs.iam.gserviceaccount.com"

# rule, what is changed in the good stack, to what, and a part of the sentence
REFUSED: list[tuple[str, str, Any, str]] = [
    ("own-account", "gateway.template.serviceAccount", REMOVED, "gateway-prod: template.serviceAccount is missing"),
    ("own-account", "gateway.template.serviceAccount", DEFAULT, f'is "{DEFAULT}", but must be a service account'),
    ("own-account", "gateway.template.serviceAccount", "acme-docs@appspot.gserviceaccount.com", "no default account"),
    ("unshared-account", "gateway.template.serviceAccount", ARCHIVE, "another account than that of gateway-prod"),
    ("project-roles", "traces.role", "roles/editor", 'role is "roles/editor"'),
    ("project-roles", "traces.role", "roles/storage.objectUser", "on the bucket, service or secret instead"),
    ("gemini-role", "gemini.member", "serviceAccount:gateway-prod@acme-docs.iam.gserviceaccount.com", "GEMINI_MODEL"),
    ("gemini-role", "archive.template.containers.0.envs.2.value", "", "remove the grant"),
    ("custom-roles", "deploys.role", "projects/acme-docs/roles/all_powerful", "declare it here"),
    ("public-members", "objects.member", "allUsers", 'member is "allUsers"'),
    ("public-members", "objects.member", "allAuthenticatedUsers", "name who needs it"),
    ("public-members", "objects.members", ["user:a@example.com", "allUsers"], "members.1"),
    ("public-members", "strangers.role", "roles/run.admin", "an account, a group or a domain"),
    ("public-members", "bucket.entity", "allUsers", "entity"),
    ("public-members", "bucket.policyData", '{"members": ["allUsers"]}', "policyData"),
    ("public-services", f"gateway.{MARK}", "false", "as gateway-prod is not marked public"),
    ("public-services", "calls.member", "allAuthenticatedUsers", "as archive-prod is not marked public"),
    ("public-services", "strangers.name", "elsewhere", "as elsewhere is not marked public"),
    ("invoker-check", "archive.invokerIamDisabled", True, 'is "false", but must be "true" with invoker_iam_disabled'),
    ("image-digest", f"gateway.{C}.image", TAG, f'image is "{TAG}", but must be an image by @sha256: digest'),
    ("image-digest", f"gateway.{C}.image", f"{TAG}@sha256:{'a' * 63}", "by @sha256: digest"),
    ("bucket-location", "bucket.location", "US", 'is "US", but must be europe-west1, where its services are'),
    ("bucket-location", "bucket.location", REMOVED, "location is missing"),
    ("bucket-access", "bucket.uniformBucketLevelAccess", REMOVED, "uniformBucketLevelAccess is missing"),
    ("bucket-access", "bucket.publicAccessPrevention", "inherited", 'is "inherited", but must be "enforced"'),
    ("bucket-deletion", "bucket.forceDestroy", True, "remove force_destroy"),
    ("sampling-ratio", f"gateway.{RATIO}", "1.0", 'is "1.0", but must be a ratio of at most 0.1'),
    ("sampling-ratio", f"gateway.{RATIO}", "0.11", "ratio_reason (label sampling: reasoned)"),
    ("sampling-ratio", f"gateway.{RATIO}", "nan", "at most 0.1"),
    ("sampling-ratio", f"gateway.{RATIO}", "a tenth", "at most 0.1"),
    ("sampling-ratio", f"gateway.{C}.envs", [{"name": "OTEL_SERVICE_NAME", "value": "x"}], "is missing"),
    ("probes", f"gateway.{C}.startupProbe", REMOVED, "startupProbe is missing, but must be a probe"),
    ("probes", f"gateway.{C}.livenessProbe", REMOVED, "livenessProbe is missing"),
    ("probes", f"gateway.{C}", REMOVED, "containers.0.startupProbe is missing"),
    ("max-instances", "gateway.template.scaling", REMOVED, "maxInstanceCount is missing"),
    ("max-instances", "gateway.template.scaling.maxInstanceCount", 0.0, "is 0, but must be a whole number from 1"),
    ("cpu-billing", f"gateway.{C}.resources.cpuIdle", REMOVED, "cpuIdle is missing, but must be true or false"),
    ("labels", "gateway.labels", REMOVED, "labels.environment is missing"),
    ("labels", "bucket.labels.environment", "dev", 'is "dev", but must be "prod"'),
    ("labels", "alert.userLabels.managed-by", REMOVED, "userLabels.managed-by is missing"),
    ("labels", "gateway.labels.service", REMOVED, "labels.service is missing"),
    ("deletion-protection", "gateway.deletionProtection", False, "is false, but must be true"),
    ("deletion-protection", "gateway.deletionProtection", REMOVED, "is missing"),
    ("alert-documentation", "alert.documentation", REMOVED, "documentation.content is missing"),
    ("alert-channel", "alert.notificationChannels", [], "is [], but must be at least one channel"),
]  # fmt: skip

# rule, stack, what is changed in the good stack (whose labels say prod), to what
ALLOWED: list[tuple[str, str, str, Any]] = [
    ("image-digest", "dev", f"gateway.{C}.image", TAG),
    ("image-digest", "local", f"gateway.{C}.image", "local"),
    ("image-digest", "prod", f"gateway.{C}.image", f"{TAG}@sha256:{'0' * 64}"),
    ("bucket-location", "prod", "bucket.location", "europe-west1"),
    ("bucket-deletion", "staging", "bucket.forceDestroy", True),
    ("bucket-deletion", "prod", "bucket.forceDestroy", False),
    ("sampling-ratio", "staging", f"gateway.{RATIO}", "1.0"),
    ("sampling-ratio", "prod", f"gateway.{RATIO}", "0"),
    ("sampling-ratio", "prod", f"gateway.{C}.envs", [{"name": "OTEL_TRACES_EXPORTER", "value": "none"}]),
    ("sampling-ratio", "prod", f"gateway.{C}.envs", [{"name": "NOT_OURS", "value": "1"}]),
    ("deletion-protection", "dev", "gateway.deletionProtection", False),
    ("max-instances", "prod", "gateway.template.scaling", {"maxInstanceCount": 1}),
    ("cpu-billing", "prod", f"gateway.{C}.resources.cpuIdle", False),
    ("alert-channel", "staging", "alert.notificationChannels", []),
    ("alert-channel", "prod", "alert.notificationChannels", [UNKNOWN]),
    ("invoker-check", "prod", "gateway.invokerIamDisabled", True),
    ("public-services", "prod", "strangers.member", "allAuthenticatedUsers"),
    ("public-services", "prod", "strangers.name", "projects/p/locations/l/services/gateway-prod"),
    ("public-services", "prod", "strangers.member", UNKNOWN),
]

# rule, what is not known, and the path that is named
UNDECIDED = [
    ("own-account", "gateway.template.serviceAccount"),
    ("own-account", "gateway.template"),
    ("unshared-account", "gateway.template.serviceAccount"),
    ("project-roles", "traces.role"),
    ("gemini-role", "gemini.member"),
    ("gemini-role", "archive.template.serviceAccount"),
    ("custom-roles", "deploys.role"),
    ("public-members", "objects.member"),
    ("public-members", "objects.members"),
    ("public-services", "calls.member"),
    ("public-services", f"gateway.{MARK}"),
    ("invoker-check", "gateway.invokerIamDisabled"),
    ("image-digest", f"gateway.{C}.image"),
    ("image-digest", "gateway.template.containers"),
    ("bucket-location", "bucket.location"),
    ("bucket-access", "bucket.uniformBucketLevelAccess"),
    ("bucket-access", "bucket.publicAccessPrevention"),
    ("bucket-deletion", "bucket.forceDestroy"),
    ("sampling-ratio", f"gateway.{RATIO}"),
    ("sampling-ratio", f"gateway.{C}.envs"),
    ("sampling-ratio", f"gateway.{C}.envs.1"),
    ("sampling-ratio", f"gateway.{C}.envs.1.name"),
    ("probes", f"gateway.{C}"),
    ("max-instances", "gateway.template.scaling"),
    ("cpu-billing", f"gateway.{C}.resources"),
    ("labels", "gateway.labels"),
    ("deletion-protection", "gateway.deletionProtection"),
    ("alert-documentation", "alert.documentation"),
    ("alert-channel", "alert.notificationChannels"),
]


@pytest.mark.parametrize("rule", BY_NAME)
def test_a_sound_stack_keeps_every_rule(rule: str) -> None:
    """The stack that the other tests break is one in which nothing is found."""
    assert verdicts(rule, stack(), "prod") == []


@pytest.mark.parametrize(("rule", "where", "value", "says"), REFUSED)
def test_a_violation_is_said_in_a_sentence(rule: str, where: str, value: Any, says: str) -> None:
    """It names the resource, the value, what is allowed and the remedy."""
    said = verdicts(rule, stack(where, value), "prod")
    assert any(says in sentence for sentence in said), said
    assert all(re.fullmatch(r"[\w-]+: \S+ is .+, but must be .+; .+\.", sentence) for sentence in said)


@pytest.mark.parametrize(("rule", "env", "where", "value"), ALLOWED)
def test_what_is_allowed_passes(rule: str, env: str, where: str, value: Any) -> None:
    """Other spellings, other environments, and values that do not matter."""
    assert verdicts(rule, stack(where, value), env) == []


@pytest.mark.parametrize(("rule", "where"), UNDECIDED)
def test_what_is_not_known_yet_is_neither_passed_nor_refused(rule: str, where: str) -> None:
    """In a preview some values do not exist yet: the rule says so."""
    found = BY_NAME[rule].findings(stack(where, UNKNOWN), "prod")
    assert found
    assert all(isinstance(finding, Undecided) for finding in found), [str(each) for each in found]
    assert "judged then" in str(found[0])


@pytest.mark.parametrize("rule", BY_NAME)
def test_no_rule_breaks_on_what_it_cannot_see(rule: str) -> None:
    """With every value unknown, and with none at all, a rule answers."""
    for properties in (
        {},
        {key: UNKNOWN for key in ("template", "labels", "member", "role", "location", "name")},
    ):
        BY_NAME[rule].findings([Declared(each.type, each.name, properties) for each in stack()], "prod")
    BY_NAME[rule].findings(
        [Declared(each.type, each.name, hidden(dict(each.properties))) for each in stack()], "prod"
    )


def test_each_rule_has_a_violation_and_an_undecided_value_in_the_tables() -> None:
    """A rule that is added without these is not tested."""
    assert {rule for rule, *_ in REFUSED} == set(BY_NAME)
    assert {rule for rule, _ in UNDECIDED} == set(BY_NAME)


@pytest.mark.parametrize(
    "kind",
    [
        "gcp:projects/iAMBinding:IAMBinding",
        "gcp:projects/iAMPolicy:IAMPolicy",
        "gcp:folder/iAMMember:IAMMember",
        "gcp:organizations/iAMMember:IAMMember",
    ],
)
def test_nothing_is_given_on_more_than_a_project_nor_taken_from_others(kind: str) -> None:
    """Even the trace writer's role: a binding removes the members that others added."""
    grant = Declared(kind, "wide", {"role": "roles/cloudtrace.agent", "member": "user:a@example.com"})
    assert len(verdicts("project-roles", [grant], "prod")) == 1


@pytest.mark.parametrize(
    ("rule", "where", "value", "label"),
    [
        ("bucket-location", "bucket.location", "US", "cross-region"),
        ("sampling-ratio", f"gateway.{RATIO}", "1.0", "sampling"),
    ],
)
def test_an_exception_is_a_label_on_the_resource(rule: str, where: str, value: Any, label: str) -> None:
    """Only `reasoned` excepts, and a label that is not known does not."""
    resources = stack(where, value)
    resource = resources[list(GOOD).index(where.split(".")[0])]
    labels = dict(resource.properties["labels"])
    for given, excepted in (("reasoned", True), ("true", False), (UNKNOWN, False)):
        resource.properties["labels"] = {**labels, label: given}  # type: ignore[index]
        assert (verdicts(rule, resources, "prod") == []) is excepted


def test_a_limit_over_all_revisions_is_a_limit_too() -> None:
    """Cloud Run takes the maximum per revision or for the service."""
    resources = stack("gateway.template.scaling", REMOVED)
    assert verdicts("max-instances", resources, "prod")
    resources[0].properties["scaling"] = {"maxInstanceCount": 5.0}  # type: ignore[index]
    assert verdicts("max-instances", resources, "prod") == []


def test_a_bucket_is_not_refused_while_its_services_region_is_not_known() -> None:
    """It may be the one."""
    resources = stack("bucket.location", "US")
    resources[0].properties["location"] = UNKNOWN  # type: ignore[index]
    assert [type(each) for each in BY_NAME["bucket-location"].findings(resources, "prod")] == [Undecided]
