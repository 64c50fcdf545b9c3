"""What the workflows of `blueprint:ci` may do, and whose workflows they are. Pure; infra/components/deployer.py declares it.

The deployer cannot change what is said here: its own roles, its pool and who may use it are only read by it. An owner's
`pulumi up` changes those (docs/deployment.md).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.schema.ci import CiConfig
    from infra.stack import Stack

ISSUER = "https://token.actions.githubusercontent.com"

DEPLOY, PREVIEW = "deploy", "preview"
"""What a workflow's token is good for: the attribute `purpose` of the identity that it becomes."""


def _whole(kind: str) -> tuple[str, ...]:
    return tuple(f"{kind}.{verb}" for verb in ("create", "delete", "get", "update"))


def _policy(kind: str) -> tuple[str, ...]:
    return (f"{kind}.getIamPolicy", f"{kind}.setIamPolicy")


PERMISSIONS: dict[str, tuple[str, ...]] = {
    "docker-build:index:Image": (),  # pushes with the role on the registry
    "gcp:artifactregistry/repository:Repository": _whole("artifactregistry.repositories"),
    "gcp:cloudrunv2/service:Service": (*_whole("run.services"), "run.operations.get"),
    "gcp:cloudrunv2/serviceIamMember:ServiceIamMember": _policy("run.services"),
    "gcp:logging/metric:Metric": _whole("logging.logMetrics"),
    # A log match is kept as a rule of Logging's own, made anew whenever the policy changes
    # (docs.cloud.google.com/logging/docs/alerting/log-based-alerts, required permissions).
    "gcp:monitoring/alertPolicy:AlertPolicy": (
        *_whole("monitoring.alertPolicies"),
        *_whole("logging.notificationRules"),
    ),
    "gcp:monitoring/genericService:GenericService": _whole("monitoring.services"),
    "gcp:monitoring/dashboard:Dashboard": _whole("monitoring.dashboards"),
    "gcp:monitoring/notificationChannel:NotificationChannel": _whole("monitoring.notificationChannels"),
    "gcp:monitoring/slo:Slo": _whole("monitoring.slos"),
    "gcp:projects/iAMMember:IAMMember": _policy("resourcemanager.projects"),
    # Never `disable`: other stacks of the project use the same APIs.
    "gcp:projects/service:Service": (
        "resourcemanager.projects.get",
        "serviceusage.operations.get",
        "serviceusage.services.enable",
        "serviceusage.services.get",
        "serviceusage.services.list",
    ),
    "gcp:secretmanager/secretIamMember:SecretIamMember": _policy("secretmanager.secrets"),
    "gcp:serviceaccount/account:Account": _whole("iam.serviceAccounts"),
    "gcp:storage/bucket:Bucket": (
        *_whole("storage.buckets"),
        # With force_destroy. A bucket that is not empty is looked through for caches before its objects are
        # (hashicorp/terraform-provider-google#25343).
        "storage.anywhereCaches.list",
        "storage.objects.delete",
        "storage.objects.list",
    ),
    "gcp:storage/bucketIAMMember:BucketIAMMember": _policy("storage.buckets"),
}
"""What the provider asks of Google for each resource type that the program declares; tests/infra/test_infra_deployer.py
compares the keys with what it does declare. Names: docs.cloud.google.com/iam/docs/permissions-reference."""

OWNERS: dict[str, tuple[str, ...]] = {
    "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember": (
        "artifactregistry.repositories.getIamPolicy",
    ),
    "gcp:iam/workloadIdentityPool:WorkloadIdentityPool": (
        "iam.workloadIdentityPools.get",
        "iam.workloadIdentityPools.getAttestationRules",
    ),
    "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider": (
        "iam.workloadIdentityPoolProviders.get",
    ),
    # A key that lives elsewhere is out of the role's reach in any case.
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember": ("cloudkms.cryptoKeys.getIamPolicy",),
    "gcp:projects/iAMCustomRole:IAMCustomRole": ("iam.roles.get",),
    "gcp:projects/serviceIdentity:ServiceIdentity": (),
    "gcp:serviceaccount/iAMMember:IAMMember": ("iam.serviceAccounts.getIamPolicy",),
}
"""What the deployer itself is made of, and who may use the key: read by `pulumi refresh`, changed by an owner. Who may
change a role that he has, or let himself act as any account, has every right."""

SMOKE_CHECK = ("cloudtrace.traces.get", "logging.logEntries.list", "monitoring.alertPolicies.list")
"""What `blueprint verify` reads after a deployment; the location of a bucket is among the others."""

ON_PROJECT = ("roles/aiplatform.user", "roles/cloudtrace.agent")
"""The roles on the project that the program gives to services, and so all that the deployer may give there. Neither opens
secrets or objects: on the project, a role that does would open all of them."""

ON_RESOURCES = ("roles/run.invoker", "roles/secretmanager.secretAccessor", "roles/storage.objectUser")
"""The same for a role on one service, secret or bucket, where Google does not document that the condition counts."""

_PROJECT_POLICY = "resourcemanager.projects.setIamPolicy"


def deploying() -> list[str]:
    """Permissions of the deployer's first role: everything but giving roles."""
    return sorted(each for each in _all() if not each.endswith(".setIamPolicy"))


def granting() -> list[str]:
    """Permissions of its second role, limited to `ON_RESOURCES`."""
    return sorted(each for each in _all() if each.endswith(".setIamPolicy") and each != _PROJECT_POLICY)


def granting_on_project() -> list[str]:
    """Permissions of its third role, limited to `ON_PROJECT`."""
    return [_PROJECT_POLICY]


def _all() -> set[str]:
    asked = {each for table in (PERMISSIONS, OWNERS) for entry in table.values() for each in entry}
    return asked | set(SMOKE_CHECK)


def only(roles: tuple[str, ...]) -> str:
    """IAM condition under which no other role can be given or taken away.

    Google documents it for projects, folders and organisations
    (docs.cloud.google.com/iam/docs/setting-limits-on-granting-roles). Where a service does not know the attribute, its
    default of no roles makes the condition true: nothing breaks, and nothing is limited. A change of the policy that
    touches no role is no limit's business either, so what is audited (auditConfigs) may change.
    """
    names = ", ".join(f"'{role}'" for role in roles)
    return f"api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly([{names}])"


def role_id(stack: Stack, name: str) -> str:
    """Ids of custom roles take letters, digits, underscores and full stops."""
    return stack.named(name).replace("-", "_")


def attribute_condition(ci: CiConfig) -> str:
    """Which of GitHub's tokens are taken at all, as CEL. GitHub has one issuer for everybody, so it names the repository.

    By its number too, if that is given: a name is free again once its repository is renamed or deleted, and so is its
    owner's; numbers are given once (docs.github.com/actions/reference/security/oidc: repository_id,
    repository_owner_id). Of events only those count that run what is on the branch: a `pull_request_target` has the
    branch's name too, and runs on behalf of strangers. A claim that is missing refuses the token
    (docs.cloud.google.com/iam/docs/workload-identity-federation).
    """
    deploys = ["assertion.event_name in ['push', 'workflow_dispatch']"]
    if ci.environment is not None:
        deploys.append(f"assertion.environment == {_text(ci.environment)}")
    if ci.branch is not None:
        deploys.append(f"assertion.ref == {_text(f'refs/heads/{ci.branch}')}")
    allowed = " && ".join(deploys)
    if ci.previews:
        allowed = f"(assertion.event_name == 'pull_request' || ({allowed}))"
    return " && ".join([*_repository(ci), allowed])


def _repository(ci: CiConfig) -> list[str]:
    claims = {
        "repository": ci.repository,
        "repository_id": ci.repository_id,
        "repository_owner_id": ci.owner_id,
    }
    return [f"assertion.{claim} == {_text(value)}" for claim, value in claims.items() if value is not None]


def attribute_mapping() -> dict[str, str]:
    """What a token becomes: a subject that leads from the audit log to the workflow's run, and what it is good for.

    Not `assertion.sub`, whose form repositories can change and which may exceed the 127 bytes of a subject.
    """
    return {
        "google.subject": "assertion.repository + '/' + assertion.run_id",
        "attribute.purpose": f"assertion.event_name == 'pull_request' ? '{PREVIEW}' : '{DEPLOY}'",
    }


def _text(value: str) -> str:
    """A CEL string; JSON's escapes are CEL's."""
    return json.dumps(value, ensure_ascii=False)
