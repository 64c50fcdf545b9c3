"""What else a deployment to Google reaches for: the registry's host, the bucket of the state, a rule of the organisation."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import requests

from infra.stack import Stack
from ops.checks import Check
from ops.doctor.permissions import member
from ops.doctor.reader import Reader, Unread

_TIMEOUT_S = (5, 10)


def registry(stack: Stack, scheme_and_host: str = "") -> Check:
    """Whether the registry answers strangers with 401, as one does that is there; no credentials are sent."""
    host = f"{stack.region}-docker.pkg.dev"
    try:
        status = requests.get(f"{scheme_and_host or f'https://{host}'}/v2/", timeout=_TIMEOUT_S).status_code
    except requests.RequestException as error:
        remedy = f"curl -sSI https://{host}/v2/   # a proxy, a firewall?"
        return Check("registry", False, f"{host} cannot be reached ({type(error).__name__})", remedy)
    if status in (200, 401):
        return Check("registry", True, host)
    return Check("registry", False, f"{host} answers with {status}", f"curl -sSI https://{host}/v2/")


def state_bucket(reader: Reader, stack: Stack, url: str) -> Check:
    """Whether the bucket of `pulumi login gs://…` is there and its objects can be listed."""
    bucket = urlsplit(url).netloc
    try:
        reader.get("storage", f"storage/v1/b/{quote(bucket, safe='')}/o", prefix=".pulumi/", maxResults=1)
    except Unread as refusal:
        make = (
            f"gcloud storage buckets create gs://{bucket} --project {stack.project} --location {stack.region}"
            " --uniform-bucket-level-access --public-access-prevention"
        )
        allow = (
            f'gcloud storage buckets add-iam-policy-binding gs://{bucket} --member "{member(reader)}"'
            " --role roles/storage.objectUser"
        )
        remedy = refusal.remedy(stack.project, make if refusal.status == 404 else allow)
        return Check("state bucket", False, f"gs://{bucket}: {refusal.message}", remedy)
    return Check("state bucket", True, f"gs://{bucket}")


def strangers(reader: Reader, stack: Stack) -> Check | None:
    """Whether the organisation allows `allUsers`, which a public service is given; None if that cannot be read.

    (docs.cloud.google.com/organization-policy/domain-restricted-sharing; the answer's shape is that of
    orgpolicy.googleapis.com v2, projects.policies.getEffectivePolicy. Not tried.)
    """
    public = [
        name
        for name, service in stack.services.items()
        if service.public and not service.invoker_iam_disabled
    ]
    if not public:
        return None
    try:
        path = f"v2/{reader.path}/policies/iam.allowedPolicyMemberDomains:getEffectivePolicy"
        rules = (reader.get("orgpolicy", path).get("spec") or {}).get("rules") or []
    except Unread:
        return None
    if not rules or any(rule.get("allowAll") for rule in rules):
        return Check("organisation", True, "allows public services")
    keys = [f"--plaintext 'blueprint:services.{name}.invoker_iam_disabled=true'" for name in public]
    detail = f"iam.allowedPolicyMemberDomains forbids allUsers, whom {', '.join(public)} would be opened to"
    return Check(
        "organisation", False, detail, f"pulumi config set-all --stack {stack.env} --path {' '.join(keys)}"
    )
