"""A workstation made of files: a copy of what `doctor` reads of the repository, and programs that only answer. Not a test."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from infra.stack import Stack
from ops.checks import Check
from ops.doctor import stack
from ops.doctor.workstation import Workstation

ROOT = Path(__file__).parents[2]
STACKS = ROOT / "tests" / "infra" / "stacks"
PROJECT = "acme-docs"
HOST = "europe-southwest1-docker.pkg.dev"


@dataclass(frozen=True)
class Machine:
    """`workstation` is what the checks see; the methods change it."""

    directory: Path
    workstation: Workstation

    @classmethod
    def ready(cls, directory: Path) -> Machine:
        """One from which stack dev of project acme-docs can be deployed."""
        root, home, bin = directory / "repository", directory / "home", directory / "bin"
        for folder in (root / "requirements", home, bin):
            folder.mkdir(parents=True)
        for name in ("Makefile", "Pulumi.yaml", "requirements/infra.in", "requirements/infra.txt"):
            shutil.copy(ROOT / name, root / name)
        shutil.copytree(STACKS, root / "stacks")
        machine = cls(directory, Workstation(root, home, {"PATH": str(bin)}))
        machine.edit("dev", {"gcp:project": PROJECT}, secretsprovider="gcpkms://key")
        machine.program("pulumi", "v3.300.0")
        machine.program("pulumi-language-python", "")
        machine.program("gcloud", "")
        machine.program("docker", "29.0.1")
        machine.file("home/.pulumi/credentials.json", {"current": "gs://acme-docs-pulumi"})
        machine.file("home/.docker/config.json", {"credHelpers": {HOST: "gcloud"}})
        adc = {"type": "authorized_user", "quota_project_id": PROJECT}
        machine.file("home/.config/gcloud/application_default_credentials.json", adc)
        return machine

    def edit(self, env: str, config: dict[str, Any], **top: Any) -> None:
        """Set config keys, and keys beside `config`, of a stack file; None removes one."""
        path = self.workstation.root / "stacks" / f"Pulumi.{env}.yaml"
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        document["config"] |= config
        document = {key: value for key, value in (document | top).items() if value is not None}
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")

    def run_digests(self, env: str) -> None:
        """Let a stack take images by digest, and build none."""
        path = self.workstation.root / "stacks" / f"Pulumi.{env}.yaml"
        services = yaml.safe_load(path.read_text(encoding="utf-8"))["config"]["blueprint:services"]
        image = f"{HOST}/{PROJECT}/services-{env}/app@sha256:" + "a" * 64
        told = {name: {**service, "image": image} for name, service in services.items()}
        self.edit(env, {"blueprint:build": False, "blueprint:services": told})

    def program(self, name: str, prints: str, status: int = 0) -> None:
        """Put a program on PATH that prints one line."""
        path = self.directory / "bin" / name
        path.write_text(f"#!/bin/sh\necho '{prints}'\nexit {status}\n", encoding="utf-8")
        path.chmod(0o755)

    def file(self, name: str, content: Any) -> None:
        """Write a file below the directory; what is no text, as JSON."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")

    def without(self, name: str) -> None:
        """Delete a file below the directory."""
        (self.directory / name).unlink()

    def set(self, **environ: str) -> Machine:
        """The same machine with these variables."""
        here = self.workstation
        return Machine(self.directory, Workstation(here.root, here.home, {**here.environ, **environ}))

    def stack(self, env: str = "dev") -> Stack:
        """The stack as its file says."""
        found = stack.read(self.workstation.root, env, None)
        assert found.stack, found.checks
        return found.stack


def one(checks: list[Check], name: str) -> Check:
    """The only check of that name."""
    (found,) = [check for check in checks if check.name == name]
    return found
