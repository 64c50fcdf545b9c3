"""Where Pulumi keeps the stack's state, and with what it encrypts secrets there. Needs no network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from infra.stack import Stack
from ops.checks import Check
from ops.doctor.workstation import Workstation, mapping

CLOUD = "https://api.pulumi.com"


def backend_url(machine: Workstation) -> str | None:
    """The backend's address as Pulumi finds it: the environment, Pulumi.yaml, the last login, a token for Pulumi Cloud.

    (github.com/pulumi/pulumi: pkg/backend/httpstate, sdk/go/common/workspace/creds.go.)
    """
    if url := machine.environ.get("PULUMI_BACKEND_URL"):
        return url
    project = mapping(_yaml(machine, "Pulumi.yaml").get("backend"))
    if url := str(project.get("url") or _credentials(machine).get("current") or ""):
        return url
    return CLOUD if machine.environ.get("PULUMI_ACCESS_TOKEN") else None


def state(machine: Workstation, stack: Stack) -> Iterator[Check]:
    """Two lines: the backend, and the key of its secrets."""
    url = backend_url(machine)
    if url is None:
        yield Check(
            "state",
            False,
            "Pulumi is not logged in to a backend",
            f"pulumi login gs://{stack.project}-pulumi",
        )
        return
    yield _backend(machine, url)
    yield secrets(machine, stack, url)


def _backend(machine: Workstation, url: str) -> Check:
    if not url.startswith(("http://", "https://")):
        return Check("state", True, url)
    tokens = mapping(_credentials(machine).get("accessTokens"))
    if machine.environ.get("PULUMI_ACCESS_TOKEN") or tokens.get(url):
        return Check("state", True, f"{url} (Pulumi Cloud)")
    return Check("state", False, f"{url}: there is no access token", f"pulumi login {url}")


def secrets(machine: Workstation, stack: Stack, url: str) -> Check:
    """Pulumi Cloud has a key of its own; elsewhere the stack file says which, or a passphrase is needed."""
    file = _yaml(machine, stack.file)
    provider = str(file.get("secretsprovider") or "")
    key = f"gcpkms://projects/{stack.project}/locations/{stack.region}/keyRings/pulumi/cryptoKeys/state"
    if provider and provider != "passphrase":
        return Check("secrets", True, provider)
    if file.get("encryptionsalt"):
        if {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & machine.environ.keys():
            return Check("secrets", True, "a passphrase, from the environment")
        detail = f"{stack.file} is encrypted with a passphrase, and the environment has none"
        return Check(
            "secrets", False, detail, "read -rs PULUMI_CONFIG_PASSPHRASE && export PULUMI_CONFIG_PASSPHRASE"
        )
    if url.startswith(("http://", "https://")):
        return Check("secrets", True, "Pulumi Cloud's own key")
    detail = f"{stack.file} names no key: the stack was not made in {url}"
    return Check("secrets", False, detail, f"pulumi stack init {stack.env} --secrets-provider {key}")


def _credentials(machine: Workstation) -> dict[str, Any]:
    directory = machine.directory("PULUMI_HOME", ".pulumi")
    return machine.json(machine.directory("PULUMI_CREDENTIALS_PATH", str(directory)) / "credentials.json")


def _yaml(machine: Workstation, name: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load((machine.root / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return mapping(found)
