"""What whoever deploys must be allowed to do in the project, and the roles that allow it."""

from __future__ import annotations

from collections.abc import Iterable

from infra.deployer import PERMISSIONS
from infra.stack import Stack
from ops.checks import Check
from ops.doctor.reader import Reader, Unread

_BATCH = 100  # permissions a request (inferred: no limit is documented)

_CI = (
    "artifactregistry.repositories.setIamPolicy",
    "iam.roles.create",
    "iam.serviceAccounts.setIamPolicy",
    "iam.workloadIdentityPoolProviders.create",
    "iam.workloadIdentityPools.create",
)

_ROLES = {
    "artifactregistry.": "roles/artifactregistry.admin",
    "iam.roles.": "roles/iam.roleAdmin",
    "iam.serviceAccounts.": "roles/iam.serviceAccountAdmin",
    "iam.serviceAccounts.actAs": "roles/iam.serviceAccountUser",
    "iam.workloadIdentity": "roles/iam.workloadIdentityPoolAdmin",
    "logging.": "roles/logging.configWriter",
    "monitoring.": "roles/monitoring.editor",
    "resourcemanager.projects.": "roles/resourcemanager.projectIamAdmin",
    "run.": "roles/run.admin",
    "secretmanager.": "roles/secretmanager.admin",
    "serviceusage.": "roles/serviceusage.serviceUsageAdmin",
    "storage.": "roles/storage.admin",
}
"""By the beginning of a permission, the longest first: a predefined role that has it
(docs.cloud.google.com/iam/docs/roles-permissions)."""


def deploying(stack: Stack) -> list[str]:
    """What the provider asks of Google for this stack's resources (infra/deployer.py)."""
    secrets = any(service.secrets for service in stack.services.values())
    asked = {each for entry in PERMISSIONS.values() for each in entry}
    return sorted(each for each in asked if secrets or not each.startswith("secretmanager."))


def owning(stack: Stack) -> list[str]:
    """What a first `up` asks beyond that: to run services as accounts that it has just made, to push its image, to make
    the deployer of `blueprint:ci`. The deployer itself has these on single resources, or not at all."""
    build = ("artifactregistry.repositories.uploadArtifacts",) if stack.build else ()
    return sorted({"iam.serviceAccounts.actAs", *build, *(_CI if stack.ci else ())})


def held(reader: Reader, permissions: Iterable[str]) -> tuple[set[str], set[str]]:
    """Of `permissions`, those that the caller has, and those that cannot be asked of a project: the API refuses a whole
    request for one that it does not know there (github.com/googleapis/google-cloud-java/issues/722). Raises `Unread`."""
    asked = sorted(permissions)
    have: set[str] = set()
    unasked: set[str] = set()
    batches = [asked[start : start + _BATCH] for start in range(0, len(asked), _BATCH)]
    while batches:
        batch = batches.pop()
        try:
            answer = reader.post(
                "cloudresourcemanager", f"v3/{reader.path}:testIamPermissions", {"permissions": batch}
            )
            have.update(answer.get("permissions") or ())
        except Unread as refusal:
            if refusal.status != 400:
                raise
            half = len(batch) // 2
            unasked.update(batch if not half else ())
            batches += [batch[:half], batch[half:]] if half else []
    return have, unasked


def permissions(reader: Reader, stack: Stack, have: set[str], unasked: set[str]) -> Check:
    """Whether `have` is enough. A stack with `blueprint:ci` may be deployed by its deployer, who needs no owner's."""
    missing = set(deploying(stack)) - have - unasked
    owners = set(owning(stack)) - have - unasked
    if stack.ci is None:
        missing |= owners
    if missing:
        detail = f"missing in {reader.project}: {', '.join(sorted(missing))}"
        return Check("permissions", False, detail, grant(reader, roles(missing)))
    if owners:
        detail = f"enough for the deployer, not for a first `up` or a change of blueprint:ci: {', '.join(sorted(owners))}"
        return Check("permissions", True, detail)
    return Check("permissions", True, f"all {len(have)} that the deployment needs")


def roles(missing: Iterable[str]) -> list[str]:
    """Predefined roles that have them."""
    found = {
        max((start for start in _ROLES if each.startswith(start)), key=len, default="") for each in missing
    }
    return sorted({_ROLES.get(start, "roles/owner") for start in found})


def grant(reader: Reader, names: list[str]) -> str:
    """The command by which an owner gives the caller these roles on the project."""
    add = f'gcloud projects add-iam-policy-binding {reader.project} --member "{member(reader)}" --condition None --role'
    return f"{add} {names[0]}" if len(names) == 1 else f"for role in {' '.join(names)}; do {add} $role; done"


def member(reader: Reader) -> str:
    """The caller, as IAM names it; a person's e-mail is asked of gcloud by the command itself."""
    account = getattr(getattr(reader.session, "credentials", None), "service_account_email", None)
    return f"serviceAccount:{account}" if account else "user:$(gcloud config get account)"
