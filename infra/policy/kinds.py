"""Rule: what the other rules cannot judge is not declared, since there is something that they can."""

from __future__ import annotations

from collections.abc import Iterator

from infra.policy.declared import Declared
from infra.policy.finding import Finding, Violation

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
"""What to declare instead of each type, and why."""


def judged_types(resource: Declared, env: str) -> Iterator[Finding]:
    """Nothing is declared that the rules cannot judge: Cloud Run's first version, access lists, keys, roles on billing accounts."""
    if resource.type in INSTEAD:
        must, why = INSTEAD[resource.type]
        yield Violation(resource, "type", resource.type, must, f"use that, as {why}")
