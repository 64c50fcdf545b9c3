"""Each rule of the policy pack: what it lets pass, what it refuses and in which words, and what it cannot tell yet."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest
from policy_stack import (
    AGENT,
    BY_NAME,
    CONDITION,
    GOOD,
    MARK,
    OPENED,
    PULL,
    RATIO,
    REMOVED,
    hidden,
    stack,
    verdicts,
)

from infra.policy.declared import UNKNOWN, Declared
from infra.policy.finding import Undecided, Violation
from infra.policy.kinds import INSTEAD, JUDGED

C = "template.containers.0"
TAG = "europe-west1-docker.pkg.dev/acme-docs/services-prod/app:1"
DEFAULT = "123456-compute@developer.gserviceaccount.com"
ARCHIVE = "archive-prod@acme-docs.iam.gserviceaccount.com"
GATEWAY = "gateway-prod@acme-docs.iam.gserviceaccount.com"
SIDECAR = {"name": "proxy", "image": f"{TAG}@sha256:{'0' * 64}", "resources": {"cpuIdle": True}}
LIMIT = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly(['{}'])"
EVIL = "serviceAccount:x@evil.iam.gserviceaccount.com"
OTHER_POOL = "principalSet://iam.googleapis.com/projects/666/locations/global/workloadIdentityPools"
PROJECTS = "resourcemanager.projects.setIamPolicy"
# What it says is judged by its type, which is always known: tests of its own, below.
BY_TYPE = {"judged-types"}

# rule, what is changed in the good stack, to what, and a part of the sentence
REFUSED: list[tuple[str, str, Any, str]] = [
    ("own-account", "gateway.template.serviceAccount", REMOVED, "gateway-prod: template.serviceAccount is missing"),
    ("own-account", "gateway.template.serviceAccount", DEFAULT, f'is "{DEFAULT}", but must be a service account'),
    ("own-account", "gateway.template.serviceAccount", "acme-docs@appspot.gserviceaccount.com", "no default account"),
    ("own-account", "gateway.template.serviceAccount", f"projects/acme-docs/serviceAccounts/{DEFAULT}", "no default account"),
    ("own-account", "job.template.template.serviceAccount", REMOVED, "sweep-prod: template.template.serviceAccount is"),
    ("own-account", "pool.template.serviceAccount", REMOVED, "pull-prod: template.serviceAccount is missing"),
    ("unshared-account", "gateway.template.serviceAccount", ARCHIVE, "another account than that of gateway-prod"),
    ("unshared-account", "gateway.template.serviceAccount", f"projects/-/serviceAccounts/{ARCHIVE}", "another account"),
    ("unshared-account", "pool.template.serviceAccount", ARCHIVE, "another account than that of archive-prod"),
    ("unshared-account", "job.template.template.serviceAccount", ARCHIVE, "another account than that of archive-prod"),
    ("account-members", "acts.role", "roles/iam.serviceAccountTokenCreator", "give no role that makes tokens"),
    ("account-members", "acts.role", "projects/acme-docs/roles/deployer_prod", "roles/iam.workloadIdentityUser or"),
    ("account-members", "acts.member", "user:a@b.c", "let CI's account deploy, not a person"),
    ("account-members", "opens.member", f"serviceAccount:{ARCHIVE}", "one subject, group or attribute of a pool"),
    ("account-members", "acts.member", f"serviceAccount:{DEFAULT}", "a service account that is no default account"),
    ("account-members", "acts.member", "serviceAccount:acme-docs@appspot.gserviceaccount.com", "no default account"),
    ("account-members", "acts.member", EVIL, "of the project of the account that it deploys with"),
    ("account-members", "acts.serviceAccountId", "projects/-/serviceAccounts/1234", "deploy from there"),
    ("used-accounts", "acts.serviceAccountId", f"projects/acme-docs/serviceAccounts/{DEFAULT}", "an account of this stack"),
    ("used-accounts", "opens.serviceAccountId", f"projects/acme-docs/serviceAccounts/{DEFAULT}", "declare the account"),
    ("used-accounts", "acts.serviceAccountId", "projects/acme-docs/serviceAccounts/admin@acme-docs.iam.gserviceaccount.com", "declare"),
    ("used-accounts", "acts.serviceAccountId", REMOVED, "serviceAccountId is missing"),
    ("new-accounts", "made.createIgnoreAlreadyExists", True, "must be false; choose another accountId"),
    ("acting-accounts", "acts.member", f"serviceAccount:{GATEWAY}", "nothing runs as, unlike that of gateway-prod"),
    ("provider-condition", "provider.attributeCondition", REMOVED, "attributeCondition is missing, but must be the repo"),
    ("provider-condition", "provider.attributeCondition", "true", "as infra/deployer.py writes them"),
    ("provider-condition", "provider.attributeCondition", f"{CONDITION} || true", "attributeCondition is"),
    ("provider-condition", "provider.attributeCondition", f"true || {CONDITION}", "attributeCondition is"),
    ("provider-condition", "provider.attributeCondition", 'assertion.repository == "acme/docs"', "attributeCondition is"),
    ("provider-condition", "provider.attributeCondition", CONDITION.partition(" && ")[2].partition(" && ")[2], "the repository"),
    ("provider-condition", "provider.attributeCondition", CONDITION.rpartition(" && ")[0], "the branch and the env"),
    ("provider-condition", "provider.attributeCondition", CONDITION.replace("event_name in", "actor in"), "the event"),
    ("provider-condition", "provider.attributeCondition", CONDITION.replace(' == "1"', ' != "1"'), "the repository"),
    ("provider-condition", "provider.attributeCondition", CONDITION.replace('_id == "1"', ' == "x"'), "the repository"),
    ("provider-condition", "provider.attributeCondition", PULL, "the branch and the environment"),
    ("provider-condition", "provider.attributeCondition", PULL, "'deploy'\", as pull requests are let in"),
    ("provider-condition", "provider.oidc.issuerUri", "https://evil.example.com", "deploy from GitHub"),
    ("provider-condition", "provider.oidc", REMOVED, "oidc.issuerUri is missing"),
    ("provider-condition", "provider.oidc.jwksJson", '{"keys": []}', "by its own keys"),
    ("provider-condition", "provider.aws", {"accountId": "1"}, "aws is"),
    ("provider-condition", "provider.saml", {"idpMetadataXml": "<x/>"}, "left out"),
    ("account-members", "opens.member", f"{OPENED}/*", "not whoever is in it"),
    ("account-members", "opens.member", f"{OPENED}/attribute.purpose/*", "not whoever is in it"),
    ("account-members", "opens.member", f"{OTHER_POOL}/evil/*", "one subject, group or attribute"),
    ("federated-members", "opens.member", f"{OTHER_POOL}/evil/attribute.purpose/deploy", "a pool that this stack declares"),
    ("federated-members", "opens.member", f"{OTHER_POOL}/github-prod/attribute.purpose/deploy", "a pool that this stack"),
    ("federated-members", "provider.workloadIdentityPoolId", "github-staging", "who adds a provider to a pool opens"),
    ("preview-roles", "opens.member", f"{OPENED}/attribute.purpose/preview", "gives: member is"),
    ("preview-roles", "opens.member", f"{OPENED}/attribute.purpose/preview", "an account that no pull request opens"),
    ("one-project", "identities.project", "evil", 'project is "evil", but must be acme-docs'),
    ("one-project", "made.project", "evil", "keep to one project"),
    ("one-project", "traces.project", "evil", "acme-docs, as of the others"),
    ("grant-members", "acts.member", EVIL, "a service account of the project that the stack's accounts are in"),
    ("grant-members", "acts.member", f"serviceAccount:{DEFAULT}", "name the member with a reason"),
    ("grant-members", "objects.member", "user:a@b.c", "the stack's accounts are in"),
    ("grant-members", "objects.members", [EVIL], "members.0 is"),
    ("grant-members", "calls.member", "domain:gmail.com", "the stack's accounts are in"),
    ("grant-members", "calls.member", "group:all@b.c", "the stack's accounts are in"),
    ("grant-members", "calls.member", f"{OPENED}/attribute.purpose/deploy", "the stack's accounts are in"),
    ("grant-members", "traces.member", EVIL, "the stack's accounts are in"),
    ("grant-members", "stores.member", "serviceAccount:service-666@gs-project-accounts.iam.gserviceaccount.com", "must be"),
    ("grant-members", "objects.member", f"serviceAccount:{AGENT}", "the stack's accounts are in"),
    ("resource-roles", "objects.role", "roles/storage.admin", 'is "roles/storage.admin", but must be roles/storage.objectU'),
    ("resource-roles", "objects.role", "projects/acme-docs/roles/giving_prod", "but must be roles/storage.objectUser"),
    ("resource-roles", "calls.role", "roles/run.admin", "but must be roles/run.invoker; give no more"),
    ("resource-roles", "encrypts.role", "roles/owner", "infra/policy/additions.py"),
    ("resource-roles", "policy.policyData", "{}", "role is missing, but must be a role that the rules know"),
    ("project-roles", "traces.role", "roles/editor", 'role is "roles/editor"'),
    ("project-roles", "traces.role", "roles/storage.objectUser", "on the bucket, service or secret instead"),
    ("project-roles", "traces.member", "user:a@b.c", 'member is "user:a@b.c", but must be a service account'),
    ("project-roles", "gemini.member", "group:all@b.c", "a service account"),
    ("project-roles", "deploys.member", "user:a@b.c", "give people their roles outside the stack"),
    ("gemini-role", "gemini.member", "serviceAccount:gateway-prod@acme-docs.iam.gserviceaccount.com", "GEMINI_MODEL"),
    ("gemini-role", "archive.template.containers.0.envs.2.value", "", "remove the grant"),
    ("custom-roles", "deploys.role", "projects/acme-docs/roles/all_powerful", "declare it here"),
    ("custom-roles", "deploys.member", f"serviceAccount:{GATEWAY}", "nothing runs as, unlike that of gateway-prod"),
    ("custom-roles", "deploys.member", "serviceAccount:sweep-prod@acme-docs.iam.gserviceaccount.com", "sweep-prod"),
    ("limited-grants", "gives.condition", REMOVED, "condition.expression is missing, but must be the condition that"),
    ("limited-grants", "gives.condition.expression", "request.time < timestamp('2030-01-01T00:00:00Z')", "hasOnly"),
    ("limited-grants", "gives.condition.expression", LIMIT.format("roles/owner"), "roles/storage.objectUser"),
    ("limited-grants", "gives.condition.expression", LIMIT.format("roles/aiplatform.user"), "gives only roles/run.inv"),
    ("limited-grants", "gives.condition.expression", f"{LIMIT.format('roles/run.invoker')} || true", "gives only"),
    ("limited-grants", "giving.permissions.1", PROJECTS, "gives only roles/aiplatform.user, roles/cloudtrace.agent"),
    ("limited-grants", "role.permissions.1", PROJECTS, "deploys: condition.expression is missing"),
    ("role-permissions", "role.permissions.1", "iam.serviceAccounts.actAs", 'permissions.1 is "iam.serviceAccounts.actAs"'),
    ("role-permissions", "role.permissions.1", "iam.serviceAccounts.getAccessToken", "does not give all others"),
    ("role-permissions", "role.permissions.1", "iam.serviceAccounts.setIamPolicy", "on one service account"),
    ("role-permissions", "role.permissions.1", "iam.serviceAccountKeys.create", "does not give all others"),
    ("role-permissions", "role.permissions.1", "iam.roles.update", "does not give all others"),
    ("role-permissions", "role.permissions.1", "iam.workloadIdentityPoolProviders.update", "does not give all others"),
    ("role-permissions", "role.permissions.1", "deploymentmanager.deployments.create", "that the program asks for"),
    ("role-permissions", "role.permissions.1", "cloudbuild.builds.create", "infra/policy/additions.py"),
    ("role-permissions", "role.permissions.1", "secretmanager.versions.access", "that the program asks for"),
    ("role-permissions", "role.permissions.1", "storage.objects.get", "that the program asks for"),
    ("public-members", "dataset.accesses.0.specialGroup", "allAuthenticatedUsers", "accesses.0.specialGroup"),
    ("public-members", "dataset.accesses.1.iamMember", "allUsers", "accesses.1.iamMember"),
    ("public-members", "dataset.specialGroup", "allAuthenticatedUsers", "specialGroup"),
    ("public-members", "objects.member", "allUsers", 'member is "allUsers"'),
    ("public-members", "objects.member", "allAuthenticatedUsers", "name who needs it"),
    ("public-members", "objects.members", ["user:a@example.com", "allUsers"], "members.1"),
    ("public-members", "strangers.role", "roles/run.admin", "an account, a group or a domain"),
    ("public-members", "bucket.entity", "allUsers", "entity"),
    ("public-members", "bucket.policyData", '{"members": ["allUsers"]}', "policyData"),
    ("public-members", "policy.policyData", r'{"bindings": [{"members": ["\u0061llUsers"]}]}', "a policy in JSON without"),
    ("public-members", "policy.policyData", '{"Bindings": [{"MEMBERS": ["allAuthenticatedUsers"]}]}', "a policy in JSON"),
    ("public-members", "policy.policyData", '{"a": ["allUsers"], "a": []}', "a policy in JSON without"),
    ("public-members", "policy.policyData", "no JSON", "a policy in JSON without"),
    ("public-members", "objects.member", "allusers", "name who needs it"),
    ("public-services", "strangers.location", "us-central1", "as gateway-prod is not marked public"),
    ("public-services", f"gateway.{MARK}", "false", "as gateway-prod is not marked public"),
    ("public-services", "calls.member", "allAuthenticatedUsers", "as archive-prod is not marked public"),
    ("public-services", "strangers.name", "elsewhere", "as elsewhere is not marked public"),
    ("invoker-check", "archive.invokerIamDisabled", True, 'is "false", but must be "true" with invoker_iam_disabled'),
    ("image-digest", f"gateway.{C}.image", TAG, f'image is "{TAG}", but must be an image by @sha256: digest'),
    ("image-digest", f"gateway.{C}.image", f"{TAG}@sha256:{'a' * 63}", "by @sha256: digest"),
    ("image-digest", "job.template.template.containers.0.image", TAG, "template.template.containers.0.image is"),
    ("image-digest", "pool.template.containers.0.image", TAG, "pull-prod: template.containers.0.image is"),
    ("image-digest", f"gateway.{C}.sourceCode", {"cloudStorageSource": {"bucket": "b"}}, "containers.0.sourceCode is"),
    ("image-digest", f"gateway.{C}.baseImageUri", "python312", "but must be left out; put the source into the image"),
    ("image-digest", "gateway.buildConfig", {"sourceLocation": "gs://b/x.zip"}, "buildConfig is"),
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
    ("sampling-ratio", f"gateway.{C}.envs", [{"name": "NOT_OURS", "value": "1"}], "is missing, but must be a ratio"),
    ("sampling-ratio", f"gateway.{C}.envs", [], "(left out, it is 1)"),
    ("sampling-ratio", f"gateway.{C}.envs", [{"name": "OTEL_SDK_DISABLED", "value": "false"}], "is missing"),
    ("sampling-ratio", "gateway.template.containers", [SIDECAR, {"ports": {"containerPort": 8080.0}}], "containers.1.envs"),
    ("probes", f"gateway.{C}.startupProbe", REMOVED, "startupProbe is missing, but must be a probe"),
    ("probes", f"gateway.{C}.livenessProbe", REMOVED, "livenessProbe is missing"),
    ("probes", f"gateway.{C}", REMOVED, "containers.0.startupProbe is missing"),
    ("max-instances", "gateway.template.scaling", REMOVED, "maxInstanceCount is missing"),
    ("max-instances", "gateway.template.scaling.maxInstanceCount", 0.0, "is 0, but must be a whole number from 1"),
    ("max-instances", "gateway.scaling", {"scalingMode": "MANUAL"}, "scaling.manualInstanceCount is missing"),
    ("probes", "gateway.template.containers", [SIDECAR, {"ports": {"containerPort": 8080.0}}], "containers.1.startup"),
    ("probes", "gateway.template.containers", [SIDECAR], "containers.0.livenessProbe is missing"),
    ("cpu-billing", f"gateway.{C}.resources.cpuIdle", REMOVED, "cpuIdle is missing, but must be true or false"),
    ("labels", "gateway.labels", REMOVED, "labels.environment is missing"),
    ("labels", "bucket.labels.environment", "dev", 'is "dev", but must be "prod"'),
    ("labels", "alert.userLabels.managed-by", REMOVED, "userLabels.managed-by is missing"),
    ("labels", "gateway.labels.service", REMOVED, "labels.service is missing"),
    ("labels", "job.labels.environment", "dev", "sweep-prod: labels.environment"),
    ("labels", "pool.labels", REMOVED, "pull-prod: labels.environment is missing"),
    ("deletion-protection", "pool.deletionProtection", False, "is false"),
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
    ("sampling-ratio", "prod", f"gateway.{C}.envs", [{"name": "OTEL_SDK_DISABLED", "value": "True"}]),
    ("sampling-ratio", "prod", f"gateway.{C}.envs", [{"name": "OTEL_SDK_DISABLED", "value": "1"}]),
    ("sampling-ratio", "dev", f"gateway.{C}.envs", []),
    ("sampling-ratio", "prod", "gateway.template.containers.1", SIDECAR),
    ("probes", "prod", "gateway.template.containers.1", SIDECAR),
    (
        "own-account",
        "prod",
        "gateway.template.serviceAccount",
        f"projects/acme-docs/serviceAccounts/{GATEWAY}",
    ),
    (
        "gemini-role",
        "prod",
        "archive.template.serviceAccount",
        f"projects/acme-docs/serviceAccounts/{ARCHIVE}",
    ),
    ("project-roles", "prod", "traces.member", f"serviceAccount:{GATEWAY}"),
    ("custom-roles", "prod", "deploys.member", "serviceAccount:nightly@acme-docs.iam.gserviceaccount.com"),
    ("limited-grants", "prod", "gives.condition.expression", LIMIT.format("roles/run.invoker")),
    ("role-permissions", "prod", "role.permissions.1", "iam.serviceAccounts.create"),
    (
        "federated-members",
        "prod",
        "opens.member",
        f"{OPENED.replace('principalSet', 'principal')}/subject/acme/docs/1",
    ),
    ("federated-members", "prod", "opens.member", f"{OPENED}/attribute.repository_id/1"),
    ("preview-roles", "prod", "opens.member", f"{OPENED}/attribute.repository_id/1"),
    ("acting-accounts", "prod", "acts.member", "serviceAccount:nightly@acme-docs.iam.gserviceaccount.com"),
    ("provider-condition", "dev", "provider.attributeCondition", CONDITION.rpartition(" && ")[0]),
    ("one-project", "prod", "made.project", REMOVED),
    ("grant-members", "prod", "made.email", REMOVED),
    ("used-accounts", "prod", "archived.email", UNKNOWN),
    ("new-accounts", "prod", "made.createIgnoreAlreadyExists", False),
    ("grant-members", "prod", "acts.member", "serviceAccount:Nightly@ACME-docs.iam.gserviceaccount.com"),
    ("grant-members", "prod", "encrypts.member", f"serviceAccount:{GATEWAY}"),
    ("public-members", "prod", "policy.policyData", '{"bindings": [{"members": ["group:a@b.c"]}]}'),
    ("public-services", "prod", "sibling.labels.x", "y"),
    ("image-digest", "dev", f"gateway.{C}.sourceCode", {"cloudStorageSource": {"bucket": "b"}}),
    ("public-members", "prod", "dataset.accesses", [{"userByEmail": "a@b.c", "role": "READER"}]),
    ("image-digest", "dev", "job.template.template.containers.0.image", TAG),
    ("deletion-protection", "dev", "gateway.deletionProtection", False),
    ("max-instances", "prod", "gateway.template.scaling", {"maxInstanceCount": 1}),
    ("max-instances", "prod", "gateway.scaling", {"scalingMode": "MANUAL", "manualInstanceCount": 3.0}),
    ("cpu-billing", "prod", f"gateway.{C}.resources.cpuIdle", False),
    ("alert-channel", "staging", "alert.notificationChannels", []),
    ("alert-channel", "prod", "alert.notificationChannels", [UNKNOWN]),
    ("invoker-check", "prod", "gateway.invokerIamDisabled", True),
    ("public-services", "prod", "strangers.member", "allAuthenticatedUsers"),
    ("public-services", "prod", "strangers.name", "projects/p/locations/europe-west1/services/gateway-prod"),
    ("public-services", "prod", "strangers.member", UNKNOWN),
]

# rule, what is not known, and the path that is named
UNDECIDED = [
    ("own-account", "gateway.template.serviceAccount"),
    ("own-account", "gateway.template"),
    ("unshared-account", "gateway.template.serviceAccount"),
    ("own-account", "job.template.template"),
    ("unshared-account", "pool.template.serviceAccount"),
    ("account-members", "acts.role"),
    ("account-members", "acts.member"),
    ("account-members", "opens.member"),
    ("account-members", "acts.serviceAccountId"),
    ("used-accounts", "acts.serviceAccountId"),
    ("new-accounts", "made.createIgnoreAlreadyExists"),
    ("acting-accounts", "acts.member"),
    ("acting-accounts", "acts.role"),
    ("acting-accounts", "gateway.template.serviceAccount"),
    ("provider-condition", "provider.attributeCondition"),
    ("provider-condition", "provider.oidc"),
    ("federated-members", "opens.member"),
    ("federated-members", "identities.name"),
    ("federated-members", "identities.workloadIdentityPoolId"),
    ("federated-members", "provider.workloadIdentityPoolId"),
    ("preview-roles", "opens.member"),
    ("preview-roles", "opens.serviceAccountId"),
    ("one-project", "made.project"),
    ("grant-members", "acts.member"),
    ("grant-members", "objects.members"),
    ("grant-members", "agent.email"),
    ("resource-roles", "objects.role"),
    ("project-roles", "traces.role"),
    ("project-roles", "traces.member"),
    ("gemini-role", "gemini.member"),
    ("gemini-role", "archive.template.serviceAccount"),
    ("custom-roles", "deploys.role"),
    ("custom-roles", "deploys.member"),
    ("custom-roles", "role.roleId"),
    ("custom-roles", "job.template.template.serviceAccount"),
    ("limited-grants", "gives.role"),
    ("limited-grants", "gives.condition"),
    ("limited-grants", "giving.permissions"),
    ("limited-grants", "giving.roleId"),
    ("role-permissions", "role.permissions"),
    ("role-permissions", "role.permissions.0"),
    ("public-members", "dataset.accesses"),
    ("public-members", "dataset.accesses.0"),
    ("image-digest", "job.template"),
    ("public-members", "objects.member"),
    ("public-members", "objects.members"),
    ("public-members", "policy.policyData"),
    ("public-services", "calls.member"),
    ("public-services", "strangers.location"),
    ("public-services", "strangers.name"),
    ("public-services", "gateway.location"),
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
    ("probes", "gateway.template.containers"),
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


PRODUCTION_ONLY = [
    ("sampling-ratio", f"gateway.{RATIO}", "1.0"),
    ("bucket-deletion", "bucket.forceDestroy", True),
    ("deletion-protection", "gateway.deletionProtection", False),
    ("alert-channel", "alert.notificationChannels", []),
]


@pytest.mark.parametrize(("rule", "where", "value"), PRODUCTION_ONLY)
@pytest.mark.parametrize(
    ("env", "refused"),
    [
        ("prod", True),
        ("prod-eu", True),
        ("production", True),
        ("staging", False),
        ("dev", False),
        ("eu-prod", False),
    ],
)
def test_production_is_known_by_the_beginning_of_its_name(
    rule: str, where: str, value: Any, env: str, refused: bool
) -> None:
    """A second production stack, of another region, is production too."""
    assert bool(verdicts(rule, stack(where, value), env)) is refused


@pytest.mark.parametrize(
    ("env", "refused"),
    [
        ("local", False), ("dev", False), ("dev-anna", False), ("develop", True), ("local-2", True), ("test", True),
        ("staging", True), ("prod-eu", True),
    ],
)  # fmt: skip
def test_only_development_runs_tags(env: str, refused: bool) -> None:
    """A stack whose name says nothing is held to what staging is."""
    assert bool(verdicts("image-digest", stack(f"gateway.{C}.image", TAG), env)) is refused


@pytest.mark.parametrize("kind", INSTEAD)
def test_what_the_rules_cannot_judge_is_refused(kind: str) -> None:
    """Whatever it says, with what to declare instead."""
    (said,) = verdicts("judged-types", [Declared(kind, "evasive", {"role": UNKNOWN})], "dev")
    assert said.startswith(f'evasive: type is "{kind}", but must be {INSTEAD[kind][0]}; use that, as ')


@pytest.mark.parametrize(
    "kind",
    sorted(
        each for each in {*INSTEAD, *JUDGED, *(must for must, _ in INSTEAD.values())} if each[:4] == "gcp:"
    ),
)
def test_types_are_spelt_as_the_provider_does(kind: str) -> None:
    """A type with another capital letter would be no rule at all."""
    module, _, name = kind.removeprefix("gcp:").partition("/")
    resource = getattr(importlib.import_module(f"pulumi_gcp.{module}"), name.rpartition(":")[2])
    assert resource.pulumi_type == kind


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
    assert {rule for rule, *_ in REFUSED} == set(BY_NAME) - BY_TYPE
    assert {rule for rule, _ in UNDECIDED} == set(BY_NAME) - BY_TYPE


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


@pytest.mark.parametrize(("ratio", "undecided"), [("1.0", True), ("0.1", False)])
def test_a_ratio_does_not_matter_where_tracing_may_be_off(ratio: str, undecided: bool) -> None:
    """With an exporter that is not known yet, only a ratio that is too high waits for it."""
    resources = stack(f"gateway.{RATIO}", ratio)
    resources[0].at("template.containers.0.envs").append({"name": "OTEL_TRACES_EXPORTER", "value": UNKNOWN})
    found = BY_NAME["sampling-ratio"].findings(resources, "prod")
    assert [type(each) for each in found] == [Undecided] * undecided


@pytest.mark.parametrize(
    ("scaling", "findings"),
    [
        ({"scalingMode": "MANUAL", "manualInstanceCount": 3.0}, []),
        ({"scalingMode": "MANUAL", "manualInstanceCount": 0.0}, []),
        ({"scalingMode": "MANUAL"}, [Violation]),
        ({"scalingMode": "AUTOMATIC", "manualInstanceCount": 3.0}, [Violation]),
        ({"scalingMode": UNKNOWN}, [Undecided]),
    ],
)
def test_a_manual_count_is_a_limit(scaling: dict[str, Any], findings: list[type]) -> None:
    """Without any maximum, where the mode is MANUAL and not elsewhere."""
    resources = stack("gateway.template.scaling", REMOVED)
    resources[0].properties["scaling"] = scaling  # type: ignore[index]
    assert [type(each) for each in BY_NAME["max-instances"].findings(resources, "prod")] == findings


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
