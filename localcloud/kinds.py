"""The resource kinds of pulumi_gcp that localcloud stands in for: ids, computed outputs, and what forces a replacement.

Tables only: what a kind does to the running cloud is in `Effects` (localcloud/resources.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.identity import is_role, unknown_role

Inputs = dict[str, Any]

# How Pulumi writes, on the wire, a value that only the deployment itself can tell.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class Refused(Exception):
    """A resource operation that Google, or localcloud, refuses; the message is one clear sentence for the operator."""


@dataclass(frozen=True)
class Home:
    """Where the resources live."""

    project: str
    project_number: str
    region: str

    def check(self, project: str | None, what: str) -> None:
        """Raises Refused if `project` is another one; None and a value not known yet pass."""
        if project is not None and _short(project) not in (self.project, UNKNOWN):
            raise Refused(f"{what} has value {project!r}; this local cloud holds only {self.project!r}")


@dataclass(frozen=True)
class Kind:
    """One resource type. Texts in `id`, `scope` and `computed` are filled with the inputs, the home and the effect's facts."""

    type: str
    id: str
    required: tuple[str, ...]
    fixed: tuple[str, ...]  # inputs whose change replaces the resource, as the provider's ForceNew does
    computed: Mapping[str, Any] = field(default_factory=dict)
    volatile: tuple[str, ...] = ()  # computed outputs that every update changes
    rank: int = 0  # a resource needs only others of a lower rank
    scope: str = ""  # IAM members that Identity enforces: what the role is granted on, as it names it
    protected: bool = False  # deletionProtection holds unless it is set to false
    autonamed: str = (
        ""  # input that the provider makes up, in another way each time, where a program gives none
    )

    @property
    def is_grant(self) -> bool:
        """Whether it gives a member a role. Granted twice, it is one grant; everything else exists once."""
        return {"role", "member"} <= set(self.required)

    def identify(self, home: Home, name: str, inputs: Inputs) -> str:
        """The provider's id of the resource with the logical name `name`."""
        id = self.id.format_map(_fields(self, home, name, inputs))
        # With another condition it is another grant (terraform-provider-google, conditionKey in iam.go).
        condition = inputs.get("condition") if self.is_grant else None
        parts = (
            (condition.get(key, "") for key in ("title", "description", "expression")) if condition else ()
        )
        return "/".join([id, *parts])

    def deletes_first(self, inputs: Inputs) -> bool:
        """Whether the provider has a replacement delete its predecessor first, as it does for a program's own name.

        Source: pulumi-terraform-bridge, nameRequiresDeleteBeforeReplace. In pulumi_gcp an argument is autonamed if the
        provider requires it and the package does not.
        """
        return bool(inputs.get(self.autonamed))

    def outputs(self, home: Home, name: str, id: str, inputs: Inputs, facts: Mapping[str, Any]) -> Inputs:
        """All outputs: the inputs, and what the provider computes from them and from the effect's facts."""
        fields = _fields(self, home, name, inputs) | {"id": id, **facts}
        return {**inputs, "project": home.project, **_fill(self.computed, fields)}

    def preview(self, home: Home, inputs: Inputs, old: Mapping[str, Any] | None) -> Inputs:
        """What is known of the outputs before the deployment; `old` are the outputs that an update starts from."""
        unknown = dict.fromkeys(self.computed if old is None else self.volatile, UNKNOWN)
        return {**(old or {}), **inputs, "project": home.project, **unknown}

    def grant(self, home: Home, inputs: Inputs) -> tuple[str, str, str] | None:
        """An IAM member's (scope, role, member), as Identity.bind takes them; None for what the books alone have."""
        if not self.scope:
            return None
        return self.scope.format_map(_fields(self, home, "", inputs)), inputs["role"], inputs["member"]

    def check(self, home: Home, inputs: Inputs) -> None:
        """Raises Refused for inputs that this kind cannot be made of; values not known yet pass."""
        for key in self.required:
            if inputs.get(key) in (None, ""):
                raise Refused(
                    f"{self.type}: `{key}` is missing; localcloud makes up no names, so give it explicitly"
                )
        home.check(inputs.get("project"), f"{self.type}: project")
        if self.is_grant and inputs["role"] != UNKNOWN and not is_role(inputs["role"]):
            raise Refused(f"{self.type}: {unknown_role(inputs['role'])}")


def _fields(kind: Kind, home: Home, name: str, inputs: Inputs) -> dict[str, Any]:
    fields = {"region": home.region, **inputs, "project": home.project, "number": home.project_number}
    for key in ("name", "bucket", "repository"):
        fields[key] = _short(inputs.get(key, ""))
    secret = str(inputs.get("secretId", ""))
    fields["secret"] = secret if "/" in secret else f"projects/{home.project}/secrets/{secret}"
    fields["agent"] = _agent(home, str(inputs.get("service", "")))
    fields["LOCATION"] = str(inputs.get("location", "")).upper()
    # Deterministic where Google draws at random, so that the same program gives the same names.
    fields["digits"] = str(int.from_bytes(hashlib.sha256(f"{kind.type}/{name}".encode()).digest()[:8], "big"))
    return fields


def _agent(home: Home, api: str) -> str:
    """E-mail of the account that a Google API works as (docs.cloud.google.com/iam/docs/service-agents)."""
    name = api.removesuffix(".googleapis.com")
    domain = {"run": "serverless-robot-prod", "storage": "gs-project-accounts"}.get(name, f"gcp-sa-{name}")
    return f"service-{home.project_number}@{domain}.iam.gserviceaccount.com"


def _short(value: Any) -> str:
    """The last segment: many inputs take either a name or the full `projects/…/NAME`."""
    return str(value).rsplit("/", 1)[-1]


def _fill(template: Any, fields: Mapping[str, Any]) -> Any:
    if isinstance(template, str):
        return template.format_map(fields)
    if isinstance(template, Mapping):
        return {key: _fill(value, fields) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [_fill(value, fields) for value in template]
    return template


_EMAIL = "{accountId}@{project}.iam.gserviceaccount.com"
_ETAG = {"etag": "{digits}"}

_KINDS = (
    Kind(
        "gcp:serviceaccount/account:Account",
        id=f"projects/{{project}}/serviceAccounts/{_EMAIL}",
        required=("accountId",),
        fixed=("accountId", "project"),
        autonamed="accountId",
        computed={"email": _EMAIL, "member": f"serviceAccount:{_EMAIL}", "name": "{id}", "uniqueId": "{digits}"},
    ),
    Kind("gcp:projects/service:Service", "{project}/{service}", required=("service",), fixed=("service", "project")),
    Kind(
        "gcp:artifactregistry/repository:Repository",
        id="projects/{project}/locations/{location}/repositories/{repositoryId}",
        required=("repositoryId", "location", "format"),
        fixed=("repositoryId", "location", "format", "mode", "kmsKeyName", "project"),
        computed={"name": "{repositoryId}", "registryUri": "{location}-docker.pkg.dev/{project}/{repositoryId}"},
    ),
    Kind(
        "gcp:storage/bucket:Bucket",
        id="{name}",
        required=("name", "location"),
        fixed=("name", "location", "project"),
        autonamed="name",
        computed={
            "url": "gs://{name}",
            "selfLink": "https://www.googleapis.com/storage/v1/b/{name}",
            "location": "{LOCATION}",
            "projectNumber": "{number}",
        },
    ),
    Kind(
        "gcp:monitoring/notificationChannel:NotificationChannel",
        id="projects/{project}/notificationChannels/{digits}",
        required=("type",),
        fixed=("project",),
        computed={"name": "{id}", "verificationStatus": "VERIFICATION_STATUS_UNSPECIFIED"},
    ),
    Kind(
        "gcp:projects/iAMMember:IAMMember",
        id="{project}/{role}/{member}",
        required=("project", "role", "member"),
        fixed=("project", "role", "member", "condition"),
        computed=_ETAG,
        rank=1,
        scope="projects/{project}",
    ),
    Kind(
        "gcp:storage/bucketIAMMember:BucketIAMMember",
        id="b/{bucket}/{role}/{member}",
        required=("bucket", "role", "member"),
        fixed=("bucket", "role", "member", "condition"),
        computed=_ETAG,
        rank=1,
        scope="buckets/{bucket}",
    ),
    Kind(
        "gcp:monitoring/alertPolicy:AlertPolicy",
        id="projects/{project}/alertPolicies/{digits}",
        required=("displayName", "combiner", "conditions"),
        fixed=("project",),
        computed={"name": "{id}", "creationRecords": [{"mutatedBy": "localcloud"}]},
        rank=1,
    ),
    Kind(
        "gcp:monitoring/genericService:GenericService",
        id="projects/{project}/services/{serviceId}",
        required=("serviceId",),
        fixed=("serviceId", "basicService", "project"),
        computed={"name": "{id}"},
    ),
    Kind(
        "gcp:monitoring/slo:Slo",
        id="projects/{project}/services/{service}/serviceLevelObjectives/{sloId}",
        required=("service", "sloId", "goal"),
        fixed=("service", "sloId", "project"),
        computed={"name": "{id}"},
        rank=1,
    ),
    Kind(
        "gcp:monitoring/dashboard:Dashboard",
        id="projects/{number}/dashboards/{digits}",
        required=("dashboardJson",),
        fixed=("project",),
        rank=2,
    ),
    Kind(
        "gcp:logging/metric:Metric",
        id="{name}",
        required=("name", "filter"),
        fixed=("name", "project"),
        autonamed="name",
    ),
    Kind(
        "gcp:iam/workloadIdentityPool:WorkloadIdentityPool",
        id="projects/{project}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}",
        required=("workloadIdentityPoolId",),
        fixed=("workloadIdentityPoolId", "project"),
        computed={
            "name": "projects/{number}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}",
            "state": "ACTIVE",
        },
    ),
    Kind(
        "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider",
        id="projects/{project}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}/providers/{workloadIdentityPoolProviderId}",
        required=("workloadIdentityPoolId", "workloadIdentityPoolProviderId"),
        fixed=("workloadIdentityPoolId", "workloadIdentityPoolProviderId", "project"),
        computed={
            "name": "projects/{number}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}/providers/{workloadIdentityPoolProviderId}",
            "state": "ACTIVE",
        },
        rank=1,
    ),
    Kind(
        "gcp:projects/iAMCustomRole:IAMCustomRole",
        id="projects/{project}/roles/{roleId}",
        required=("roleId", "title", "permissions"),
        fixed=("roleId", "project"),
        autonamed="roleId",
        computed={"name": "{id}", "deleted": False},
    ),
    Kind(
        "gcp:serviceaccount/iAMMember:IAMMember",
        id="{serviceAccountId}/{role}/{member}",
        required=("serviceAccountId", "role", "member"),
        fixed=("serviceAccountId", "role", "member", "condition"),
        computed=_ETAG,
        rank=1,
    ),
    Kind(
        "gcp:secretmanager/secretIamMember:SecretIamMember",
        id="{secret}/{role}/{member}",
        required=("secretId", "role", "member"),
        fixed=("secretId", "role", "member", "condition", "project"),
        computed=_ETAG,
        rank=1,
    ),
    Kind(
        "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember",
        id="projects/{project}/locations/{location}/repositories/{repository}/{role}/{member}",
        required=("repository", "location", "role", "member"),
        fixed=("repository", "location", "role", "member", "condition", "project"),
        computed=_ETAG,
        rank=1,
    ),
    Kind(
        "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember",
        id="{cryptoKeyId}/{role}/{member}",
        required=("cryptoKeyId", "role", "member"),
        fixed=("cryptoKeyId", "role", "member", "condition"),
        computed=_ETAG,
    ),
    Kind(
        "gcp:projects/serviceIdentity:ServiceIdentity",
        id="projects/{project}/services/{service}",
        required=("service",),
        fixed=("service", "project"),
        computed={"email": "{agent}", "member": "serviceAccount:{agent}"},
    ),
    Kind(
        "gcp:cloudrunv2/serviceIamMember:ServiceIamMember",
        id="projects/{project}/locations/{location}/services/{name}/{role}/{member}",
        required=("name", "location", "role", "member"),
        fixed=("name", "location", "role", "member", "condition", "project"),
        autonamed="name",
        computed=_ETAG,
        rank=2,
        scope="services/{name}",
    ),
    Kind(
        "gcp:cloudrunv2/service:Service",
        id="projects/{project}/locations/{location}/services/{name}",
        required=("name", "location", "template"),
        fixed=("name", "location", "project"),
        autonamed="name",
        computed={
            "uri": "{uri}",
            "urls": ["{uri}"],
            "uid": "{digits}",
            "latestCreatedRevision": "{id}/revisions/{revision}",
            "latestReadyRevision": "{id}/revisions/{revision}",
            "terminalConditions": [{"type": "Ready", "state": "CONDITION_SUCCEEDED"}],
            "reconciling": False,
        },
        volatile=("latestCreatedRevision", "latestReadyRevision"),
        rank=3,
        protected=True,
    ),
)  # fmt: skip

KINDS: Mapping[str, Kind] = {kind.type: kind for kind in _KINDS}


def kind_of(type: str) -> Kind:
    """The kind of a Pulumi type token; raises Refused, with the supported list, for an unknown one."""
    if type not in KINDS:
        raise Refused(
            f"{type} is not a resource type that localcloud stands in for; it knows {', '.join(KINDS)}"
        )
    return KINDS[type]
