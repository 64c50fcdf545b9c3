"""The programs and packages that a deployment runs on. Needs no network."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ops.checks import Check
from ops.doctor.workstation import Workstation

PYTHON = (3, 11)
"""pyproject.toml's requires-python."""

_NUMBER = re.compile(r"\d+\.\d+\.\d+")
_GET_PULUMI = "curl -fsSL https://get.pulumi.com | sh -s -- --version"


def python(found: tuple[int, ...] = sys.version_info[:3]) -> Check:
    """The interpreter that runs `blueprint`, and the program (Pulumi.yaml names the same environment)."""
    detail = ".".join(map(str, found))
    if found[:2] >= PYTHON:
        return Check("python", True, detail)
    needed = ".".join(map(str, PYTHON))
    return Check(
        "python",
        False,
        f"{detail}, but {needed} or newer is needed",
        f"rm -r .venv && make setup PYTHON=python{needed}",
    )


def packages(root: Path) -> Check:
    """What requirements/infra.in names is installed, in the versions of its lock."""
    locked = locks(root / "requirements")
    wrong = [
        f"{name} {_installed(name) or 'missing'} (locked: {want})"
        for name, want in locked.items()
        if _installed(name) != want
    ]
    if wrong:
        remedy = ".venv/bin/python -m pip install --no-deps --require-hashes -r requirements/infra.txt"
        return Check("packages", False, ", ".join(wrong), remedy)
    return Check("packages", True, ", ".join(f"{name} {want}" for name, want in locked.items()))


def locks(directory: Path) -> Mapping[str, str]:
    """The packages that infra.in names, with the versions that infra.txt locks."""
    named = set(
        re.findall(r"^[a-z][\w.-]*", (directory / "infra.in").read_text(encoding="utf-8"), re.MULTILINE)
    )
    locked = re.findall(
        r"^([\w.-]+)==([^\s;\\]+)", (directory / "infra.txt").read_text(encoding="utf-8"), re.MULTILINE
    )
    return {name: found for name, found in locked if name in named}


def pulumi(machine: Workstation) -> Check:
    """The CLI on PATH, which `pulumi up` runs, with its host for Python programs. The one of `make engine` has none.

    It may be older than the SDK's package, but not than the one that the pipeline and the tests run.
    """
    wanted = _pinned(machine.root)
    install = f"{_GET_PULUMI} {wanted}"
    found = machine.find("pulumi")
    if found is None:
        return Check("pulumi", False, "not on PATH", install)
    number = _NUMBER.search(machine.run(str(found), "version") or "")
    if number is None:
        return Check("pulumi", False, f"{found} does not tell its version", install)
    if _parts(number[0]) < _parts(wanted):
        return Check("pulumi", False, f"{number[0]}, but {wanted} or newer is needed", install)
    host = "pulumi-language-python"
    if machine.find(host) is None and not (found.resolve().parent / host).is_file():
        return Check("pulumi", False, f"{number[0]}, but {host} is neither beside it nor on PATH", install)
    return Check("pulumi", True, number[0])


def gcloud(machine: Workstation) -> Check:
    """Google's CLI: it logs in, and Docker asks it for the registry's password."""
    found = machine.find("gcloud")
    if found is None:
        return Check("gcloud", False, "not on PATH", "curl https://sdk.cloud.google.com | bash")
    return Check("gcloud", True, str(found))


def docker(machine: Workstation) -> Check:
    """A Docker daemon that answers: `blueprint:build` builds with it."""
    found = machine.find("docker")
    if found is None:
        remedy = "curl -fsSL https://get.docker.com | sh   # or blueprint:build: false, and an image for each service"
        return Check("docker", False, "blueprint:build is true, and docker is not on PATH", remedy)
    server = machine.run(str(found), "version", "--format", "{{.Server.Version}}")
    if not server:
        remedy = "sudo systemctl start docker   # on a desktop: start Docker Desktop"
        return Check("docker", False, "blueprint:build is true, and no Docker daemon answers", remedy)
    return Check("docker", True, f"daemon {server}")


def tools(machine: Workstation) -> Iterator[Check]:
    """What every deployment to Google needs."""
    yield pulumi(machine)
    yield gcloud(machine)


def _pinned(root: Path) -> str:
    """The Makefile's version, which the pipeline's workflows have too."""
    found = re.search(
        r"^PULUMI_VERSION := (\S+)", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    return found[1] if found else "3.0.0"


def _parts(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
