"""Rule: only what the other rules know how to judge is declared; anything else is named with a reason first."""

from __future__ import annotations

import re
from collections.abc import Iterator

from infra.policy import additions
from infra.policy.declared import Declared
from infra.policy.finding import Finding, Violation

JUDGED = frozenset(
    {
        "docker-build:index:Image",
        "gcp:artifactregistry/repository:Repository",
        "gcp:artifactregistry/repositoryIamMember:RepositoryIamMember",
        "gcp:cloudrunv2/job:Job",
        "gcp:cloudrunv2/service:Service",
        "gcp:cloudrunv2/serviceIamMember:ServiceIamMember",
        "gcp:cloudrunv2/workerPool:WorkerPool",
        "gcp:iam/workloadIdentityPool:WorkloadIdentityPool",
        "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider",
        "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember",
        "gcp:logging/metric:Metric",
        "gcp:monitoring/alertPolicy:AlertPolicy",
        "gcp:monitoring/dashboard:Dashboard",
        "gcp:monitoring/genericService:GenericService",
        "gcp:monitoring/notificationChannel:NotificationChannel",
        "gcp:monitoring/slo:Slo",
        "gcp:projects/iAMCustomRole:IAMCustomRole",
        "gcp:projects/iAMMember:IAMMember",
        "gcp:projects/service:Service",
        "gcp:projects/serviceIdentity:ServiceIdentity",
        "gcp:secretmanager/secretIamMember:SecretIamMember",
        "gcp:serviceaccount/account:Account",
        "gcp:serviceaccount/iAMMember:IAMMember",
        "gcp:storage/bucket:Bucket",
        "gcp:storage/bucketIAMMember:BucketIAMMember",
    }
)
"""What the program declares, and Cloud Run's jobs and worker pools; the rest of the pack is written for these."""

OWN = re.compile(r"blueprint:index:\w+|pulumi:(pulumi|providers):[\w-]+")
"""The program's components, and what Pulumi itself declares: the stack, providers, references. None is anything in a cloud."""

_ACL = (
    "gcp:storage/bucketIAMMember:BucketIAMMember",
    "an access list opens single objects past the bucket's roles",
)
_RUN = (
    "gcp:cloudrunv2/service:Service",
    "the first version of Cloud Run's API says the same things elsewhere",
)
_INVOKER = ("gcp:cloudrunv2/serviceIamMember:ServiceIamMember", _RUN[1])
_KEY = ("gcp:iam/workloadIdentityPool:WorkloadIdentityPool", "a key never ends and lies in the stack's state")
_ACCOUNT = ("gcp:serviceaccount/iAMMember:IAMMember", "bindings and policies take away what others gave")
_BILLING = ("a grant outside the stack", "who pays is decided for more than one project")

INSTEAD: dict[str, tuple[str, str]] = {
    "gcp:cloudrun/service:Service": _RUN,
    "gcp:cloudrun/iamBinding:IamBinding": _INVOKER,
    "gcp:cloudrun/iamMember:IamMember": _INVOKER,
    "gcp:cloudrun/iamPolicy:IamPolicy": _INVOKER,
    "gcp:storage/bucketACL:BucketACL": _ACL,
    "gcp:storage/bucketAccessControl:BucketAccessControl": _ACL,
    "gcp:storage/defaultObjectACL:DefaultObjectACL": _ACL,
    "gcp:storage/defaultObjectAccessControl:DefaultObjectAccessControl": _ACL,
    "gcp:storage/objectACL:ObjectACL": _ACL,
    "gcp:storage/objectAccessControl:ObjectAccessControl": _ACL,
    "gcp:storage/hmacKey:HmacKey": _KEY,
    "gcp:serviceaccount/key:Key": _KEY,
    "gcp:serviceaccount/iAMBinding:IAMBinding": _ACCOUNT,
    "gcp:serviceaccount/iAMPolicy:IAMPolicy": _ACCOUNT,
    "gcp:billing/accountIamBinding:AccountIamBinding": _BILLING,
    "gcp:billing/accountIamMember:AccountIamMember": _BILLING,
    "gcp:billing/accountIamPolicy:AccountIamPolicy": _BILLING,
}
"""What to declare instead of each type, and why. No addition lets these pass."""


def judged_types(resource: Declared, env: str) -> Iterator[Finding]:
    """Only types that the rules can judge are declared: those of the program, and those that are named with a reason."""
    kind = resource.type
    if kind in INSTEAD:
        must, why = INSTEAD[kind]
        yield Violation(resource, "type", kind, must, f"use that, as {why}")
    elif kind not in JUDGED and kind not in additions.TYPES and not OWN.fullmatch(kind):
        must = "a type that the program declares"
        remedy = "name it with a reason in infra/policy/additions.py"
        yield Violation(resource, "type", kind, must, remedy)
