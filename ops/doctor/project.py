"""The project as Google tells of it: there, paid for, with its APIs on. Reads Resource Manager, Billing, Service Usage."""

from __future__ import annotations

from infra.components.apis import names
from infra.stack import Stack
from ops.checks import Check
from ops.doctor.permissions import grant
from ops.doctor.reader import Reader, Unread

FIRST = ("cloudresourcemanager", "serviceusage")
"""On before the first deployment: the provider turns the others on through the one, and reads the project by the other."""

_BATCH = 30  # docs.cloud.google.com/service-usage/docs/reference/rest/v1/services/batchGet


def project(reader: Reader, stack: Stack) -> Check:
    """Whether it is there, and not about to be deleted."""
    try:
        found = reader.get("cloudresourcemanager", f"v3/{reader.path}")
    except Unread as refusal:
        if not refusal.status:
            remedy = (
                "make local"
                if reader.is_local
                else f"curl -sSI https://{refusal.api}   # a proxy, a firewall?"
            )
            return Check("project", False, refusal.message, remedy)
        remedy = f"gcloud projects list   # then: pulumi config set gcp:project PROJECT --stack {stack.env}"
        return Check(
            "project", False, f"{reader.project}: {refusal.message}", refusal.remedy(reader.project, remedy)
        )
    state = str(found.get("state") or "unknown")
    if state != "ACTIVE":
        detail = f"{reader.project} is in state {state}"
        return Check("project", False, detail, f"gcloud projects undelete {reader.project}")
    return Check("project", True, f"{reader.project}, {found.get('name', '')}".rstrip(", "))


def billing(reader: Reader) -> Check:
    """Whether somebody pays: Cloud Run and the registry refuse a project without billing."""
    look = f"gcloud billing projects describe {reader.project}"
    try:
        found = reader.get("cloudbilling", f"v1/{reader.path}/billingInfo")
    except Unread as refusal:
        return Check(
            "billing", False, f"cannot be read: {refusal.message}", refusal.remedy(reader.project, look)
        )
    account = str(found.get("billingAccountName") or "").removeprefix("billingAccounts/")
    if found.get("billingEnabled"):
        return Check("billing", True, f"account {account}")
    detail = (
        f"account {account} of {reader.project} is closed"
        if account
        else f"{reader.project} has no billing account"
    )
    remedy = f"gcloud billing projects link {reader.project} --billing-account $(gcloud billing accounts list --filter open=true --limit 1 --format 'value(name.basename())')"
    return Check("billing", False, detail, remedy)


def apis(reader: Reader, stack: Stack, may_enable: bool) -> Check:
    """Which of the stack's APIs are off. The deployment turns them on, if the caller may and the first two are on."""
    try:
        off = [name for name, on in enabled(reader, sorted({*FIRST, *names(stack)})).items() if not on]
    except Unread as refusal:
        otherwise = grant(reader, ["roles/serviceusage.serviceUsageViewer"])
        return Check(
            "apis", False, f"cannot be read: {refusal.message}", refusal.remedy(reader.project, otherwise)
        )
    if not off:
        return Check("apis", True, f"{len(names(stack))} are on")
    listed = " ".join(f"{name}.googleapis.com" for name in off)
    enable = f"gcloud services enable {listed} --project {reader.project}"
    first = [name for name in FIRST if name in off]
    if first:
        return Check("apis", False, f"off, and needed to turn on the others: {', '.join(first)}", enable)
    if not may_enable:
        return Check(
            "apis", False, f"off, and you may not enable them: {', '.join(off)}", f"{enable}   # as an owner"
        )
    again = "in one that was deployed before, somebody turned them off: " + enable
    return Check(
        "apis", True, f"off, and turned on by the first deployment of a stack: {', '.join(off)} ({again})"
    )


def enabled(reader: Reader, short: list[str]) -> dict[str, bool]:
    """Which of these APIs, named without `.googleapis.com`, are on. Raises `Unread`."""
    states: dict[str, bool] = {}
    for start in range(0, len(short), _BATCH):
        asked = [f"{reader.path}/services/{name}.googleapis.com" for name in short[start : start + _BATCH]]
        answer = reader.get("serviceusage", f"v1/{reader.path}/services:batchGet", names=asked)
        for service in answer.get("services") or ():
            name = str(service.get("name", "")).rpartition("/")[2].removesuffix(".googleapis.com")
            states[name] = service.get("state") == "ENABLED"
    return {name: states.get(name, False) for name in short}
