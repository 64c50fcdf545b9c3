"""Who the deployment is at Google and at the registry, as far as files and the environment tell. Needs no network."""

from __future__ import annotations

import os
from pathlib import Path

from infra.stack import Stack
from ops.checks import Check
from ops.credentials import LOGIN
from ops.doctor.workstation import Workstation, mapping

_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"


def file_of(machine: Workstation) -> Path | None:
    """Where application default credentials are: the file that the environment names, there or not, or gcloud's."""
    if named := machine.environ.get(_VARIABLE):
        return Path(named)
    path = machine.directory("CLOUDSDK_CONFIG", ".config/gcloud") / "application_default_credentials.json"
    return path if os.path.isfile(path) else None


def application_default(machine: Workstation, project: str) -> Check:
    """The file of application default credentials: whose, and which project pays for reads.

    The provider does without a quota project (github.com/hashicorp/terraform-provider-google/issues/20459); our own reads
    with a person's credentials may not, so it is told.
    """
    path = file_of(machine)
    if path is None:
        return Check("login", False, "there are no application default credentials", LOGIN)
    if not os.path.isfile(path):  # unlike Path.is_file, no error where a directory may not be entered
        detail = f"{_VARIABLE} names {path}, which does not exist, or you may not read it"
        return Check("login", False, detail, f"unset {_VARIABLE} && {LOGIN}")
    found = machine.json(path)
    kind = str(found.get("type") or "")
    if not kind:
        return Check(
            "login", False, f"{path} is no file of Google credentials", f"unset {_VARIABLE}; {LOGIN}"
        )
    if kind != "authorized_user":
        return Check("login", True, f"{kind} {found.get('client_email', '')}".rstrip())
    quota = machine.environ.get("GOOGLE_CLOUD_QUOTA_PROJECT") or found.get("quota_project_id")
    told = (
        f"quota project {quota}"
        if quota
        else f"no quota project; set-quota-project {project} if reads are refused"
    )
    return Check("login", True, f"a person's, {told}")


def registry(machine: Workstation, stack: Stack) -> Check:
    """Docker's login to the registry that `blueprint:build` pushes to."""
    host = f"{stack.region}-docker.pkg.dev"
    config = machine.json(machine.directory("DOCKER_CONFIG", ".docker") / "config.json")
    helper = mapping(config.get("credHelpers")).get(host)
    if helper or host in mapping(config.get("auths")) or config.get("credsStore") == "gcloud":
        return Check("registry login", True, f"{host} by {helper or 'Docker'}")
    return Check(
        "registry login", False, f"Docker has no login for {host}", f"gcloud auth configure-docker {host}"
    )
