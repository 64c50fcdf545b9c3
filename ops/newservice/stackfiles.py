"""The stack files with a new service in each: what its entry says there, and what is left to mend before the next `up`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from infra.schema.tiers import is_development
from infra.stack import StackRefused, parse
from ops import stackfile
from ops.errors import OperatorError
from ops.newservice.stacktext import SERVICES, with_service
from ops.stackfile import Config

_SIZES = ("billing", "min_instances", "max_instances", "concurrency")
_FILLED = {"gcp:project": "project-id", "gcp:region": "europe-west1"}


@dataclass(frozen=True)
class Wanted:
    """A new service: its name, who calls it, and whether strangers may."""

    name: str
    called_by: str | None
    public: bool

    @property
    def source(self) -> str:
        """Its directory in the repository."""
        return f"services/{self.name}"


@dataclass(frozen=True)
class StackFile:
    """One file, its text before, and its text with the new service."""

    path: Path
    env: str
    before: str
    after: str


def configs(root: Path) -> dict[str, Config]:
    """The config of every stack with services, by the stack's name. Raises `OperatorError` if there is none, or one cannot be read.

    `pulumi stack init` leaves a file without any, which the operator fills in later.
    """
    envs = sorted(path.name.split(".")[1] for path in (root / "stacks").glob("Pulumi.*.yaml"))
    read = {env: stackfile.load(root, env) for env in envs if SERVICES in stackfile.text(root, env)}
    found = {env: config for env, config in read.items() if SERVICES in config}
    if not found:
        raise OperatorError(
            f"No stacks/Pulumi.<stack>.yaml has {SERVICES}, so there is nothing to add a service to; "
            "start from one of the template's."
        )
    return found


def changed(root: Path, stacks: Mapping[str, Config], wanted: Wanted) -> list[StackFile]:
    """Each stack file with the service in it; nothing is written. Raises `OperatorError`."""
    found = []
    for env, config in stacks.items():
        file, before = f"stacks/Pulumi.{env}.yaml", stackfile.text(root, env)
        after = with_service(file, before, wanted.name, _entry(env, config, wanted), wanted.called_by)
        found.append(StackFile(root / file, env, before, after))
    return found


def _entry(env: str, config: Config, wanted: Wanted) -> dict[str, Any]:
    """As large as the stack's last service. Where the pipeline names the image, its placeholder as for the others."""
    services = config[SERVICES]  # in any form; what cannot be followed `with_service` refuses
    last = list(services.values())[-1] if isinstance(services, dict) and services else {}
    like = last if isinstance(last, dict) else {}
    entry: dict[str, Any] = {"source": wanted.source}
    if not is_development(env):
        entry["image"] = f"REGION-docker.pkg.dev/PROJECT_ID/services-{env}/{wanted.name}@sha256:DIGEST"
    if wanted.public:
        entry["public"] = True
    return {**entry, **{key: like[key] for key in _SIZES if key in like}}


def left_to_mend(files: list[StackFile], wanted: Wanted) -> list[str]:
    """Sentences with which the stacks would be refused now and were not before; what it runs is made, or the pipeline's."""
    made = tuple(f"blueprint:services.{wanted.name}.{key} " for key in ("image", "source"))
    new = [
        line
        for file in files
        for line in sorted(_refusals(file.env, file.after) - _refusals(file.env, file.before))
        if not line.startswith(made)
    ]
    return list(dict.fromkeys(new))


def _refusals(env: str, text: str) -> set[str]:
    config = yaml.safe_load(text)["config"]
    # A placeholder stops the rules that follow, of which we want to hear.
    project, region = (
        value if str(value := config.get(key)).islower() else filled for key, filled in _FILLED.items()
    )
    declared = {
        key.removeprefix("blueprint:"): each for key, each in config.items() if key.startswith("blueprint:")
    }
    try:
        parse(env, project, region, declared)
    except StackRefused as refused:
        return set(str(refused).splitlines())
    return set()
