"""The two scripts of the workflows: the digest into the stack file, and the request after a deployment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.engines import find_pulumi

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
SCRIPTS = sorted(GITHUB.glob("*.sh"))
needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="no jq, which GitHub's machines have")


def needs_pulumi(test: Callable[..., None]) -> Callable[..., None]:
    """Marks a test that runs the real CLI."""
    without = pytest.mark.skipif(find_pulumi(ROOT) is None, reason="no Pulumi CLI: run `make engine`")
    marked: Callable[..., None] = pytest.mark.engine(needs_jq(without(test)))
    return marked


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_parse_and_stop_at_the_first_error(path: Path) -> None:
    """A failed step in the middle must not end in a green job."""
    subprocess.run(["bash", "-n", path], check=True)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n# Usage: ")
    assert "\nset -euo pipefail\n" in text


# ---- the image in the stack file -----------------------------------------------------------------------------------

OWN = "europe-west1-docker.pkg.dev/acme-docs/services-dev/app"
IMAGE, OLD, RUNNING = (f"{OWN}@sha256:{digit * 64}" for digit in "cab")
OTHER = "docker.io/acme/other@sha256:" + "d" * 64
NEIGHBOUR = "europe-west1-docker.pkg.dev/acme-docs/services-dev/other@sha256:" + "e" * 64
IMAGES = {
    "gateway": None,
    "extract": "REGION-docker.pkg.dev/PROJECT_ID/services-prod/app@sha256:DIGEST",
    "archive": f"{OWN}:TAG",
    "committed": OLD,
    "tagged": f"{OWN}:v1",
    "other": OTHER,
    "neighbour": NEIGHBOUR,
}
PIPELINES = ("gateway", "extract", "archive", "committed", "tagged")
"""Those whose image the pipeline names; the last two of IMAGES have one of their own."""


def _services(images: dict[str, str | None]) -> dict[str, Any]:
    return {name: {"public": True} | ({"image": image} if image else {}) for name, image in images.items()}


def _images(
    project: Path,
    images: dict[str, str | None],
    running: dict[str, Any] | None,
    *arguments: str,
    google: str = "acme-docs",
    before: Sequence[str] = (),
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """The script over a stack file with these images, and what it leaves there. By Pulumi's own CLI, but for the outputs."""
    config = {"gcp:project": google, "gcp:region": "europe-west1", "blueprint:build": True}
    file = project / "stacks/Pulumi.dev.yaml"
    file.parent.mkdir()
    file.write_text(
        yaml.safe_dump({"config": config | {"blueprint:services": _services(images)}}), encoding="utf-8"
    )
    (project / "Pulumi.yaml").write_text(
        "name: blueprint\nruntime: yaml\nstackConfigDir: stacks\n", encoding="utf-8"
    )
    done = subprocess.run(
        ["bash", GITHUB / "images.sh", *before, "dev", *arguments],
        cwd=project,
        env=_pulumi(project, running),
        capture_output=True,
        text=True,
        check=False,
    )
    return done, yaml.safe_load(file.read_text(encoding="utf-8"))["config"]


@needs_pulumi
def test_the_pipeline_s_image_is_written_wherever_it_is_the_pipeline_s_to_name(tmp_path: Path) -> None:
    """Over an older digest too, or a committed one would be deployed for ever by a green pipeline."""
    done, config = _images(tmp_path, IMAGES, {}, IMAGE)
    assert done.returncode == 0, done.stderr
    assert config["blueprint:build"] in (False, "false")  # the pipeline has built it
    assert config["blueprint:services"] == _services(IMAGES | dict.fromkeys(PIPELINES, IMAGE))


@needs_pulumi
def test_a_project_of_a_domain_has_a_registry_of_the_same_name_with_a_slash(tmp_path: Path) -> None:
    """As infra/components/registry.py writes it; an image of an earlier deployment would else be somebody else's."""
    earlier = OWN.replace("acme-docs", "example.com/acme-docs") + "@sha256:" + "0" * 64
    done, config = _images(tmp_path, {"gateway": earlier}, {}, IMAGE, google="example.com:acme-docs")
    assert done.returncode == 0, done.stderr
    assert config["blueprint:services"] == _services({"gateway": IMAGE})


@needs_pulumi
def test_it_is_said_when_nothing_would_be_deployed(tmp_path: Path) -> None:
    """Every service has an image of its own: the new one would go nowhere."""
    done, config = _images(tmp_path, {"other": OTHER, "neighbour": NEIGHBOUR}, {}, IMAGE)
    assert done.returncode == 1
    assert f"none is {OWN}, so nothing would be deployed: remove the image" in done.stderr
    assert config["blueprint:services"] == _services({"other": OTHER, "neighbour": NEIGHBOUR})


RUN = {"gateway": {"image": RUNNING}, "other": {"image": OTHER}}
BY_HAND = [
    ({"gateway": None, "other": OTHER}, RUN, {"gateway": RUNNING}),
    ({"gateway": OLD}, RUN, {"gateway": RUNNING}),
    ({"gateway": None, "new": None}, RUN, {"gateway": RUNNING, "new": RUNNING}),
    ({"gateway": None, "other": None}, RUN, {"gateway": RUNNING, "other": RUNNING}),
]
STRANGERS = [
    ({"new": None}, {"other": {"image": OTHER}}, {"new": OTHER}),
    ({"new": None}, {"gateway": {"image": None}, "other": {"image": OTHER}}, {"new": OTHER}),
    ({"new": None}, {"neighbour": {"image": NEIGHBOUR}}, {"new": NEIGHBOUR}),
]
NOTHING: list[dict[str, Any] | None] = [{}, None]


@needs_pulumi
@pytest.mark.parametrize(
    ("options", "images", "running", "expected"),
    [(options, *each) for options in ([], ["--preview"]) for each in BY_HAND]
    + [(["--preview"], *each) for each in STRANGERS],
)
def test_without_a_release_a_service_has_the_image_that_runs(
    tmp_path: Path,
    options: list[str],
    images: dict[str, str | None],
    running: dict[str, Any],
    expected: dict[str, str],
) -> None:
    """One that a pull request adds has none yet, and gets another's: of the template, or in a preview of any code."""
    done, config = _images(tmp_path, images, running, before=options)
    assert done.returncode == 0, done.stderr
    assert config["blueprint:services"] == _services(images | expected)
    assert ("::warning::" in done.stderr) is any(OWN not in image for image in expected.values())


@needs_pulumi
@pytest.mark.parametrize(
    ("options", "running"),
    [([], running) for _, running, _ in STRANGERS]
    + [(options, running) for options in ([], ["--preview"]) for running in NOTHING],
)
def test_the_template_never_goes_live_as_something_else(
    tmp_path: Path, options: list[str], running: dict[str, Any] | None
) -> None:
    """`pulumi up` comes after it; `null` is no image."""
    done, config = _images(tmp_path, {"gateway": None}, running, before=options)
    assert done.returncode == 1
    assert "there is no image of the template for gateway: name it as an IMAGE" in done.stderr
    assert config["blueprint:services"] == _services({"gateway": None})


@needs_pulumi
def test_an_image_that_no_service_takes_is_told_of(tmp_path: Path) -> None:
    """A name that was mistyped; in the place of the template's it would be every service's, and nobody's from then on."""
    done, config = _images(tmp_path, {"gateway": None}, RUN, NEIGHBOUR)
    assert (done.returncode, config["blueprint:services"]) == (0, _services({"gateway": RUNNING}))
    assert f"no service takes {NEIGHBOUR}" in done.stderr


@needs_pulumi
def test_outputs_that_cannot_be_read_stop_the_preview(tmp_path: Path) -> None:
    """Inside another command's argument, a failure would leave an empty image and a status of 0."""
    done, config = _images(tmp_path, {"gateway": None}, {"gateway": "no map"})
    assert done.returncode != 0
    assert config["blueprint:services"] == _services({"gateway": None})


def _pulumi(project: Path, outputs: dict[str, Any] | None) -> dict[str, str]:
    """An environment with the CLI on PATH and a stack in a state of its own."""
    pulumi = find_pulumi(ROOT)
    assert pulumi
    (project / "state").mkdir()
    environment = {
        "PATH": f"{project / 'bin'}:{Path(pulumi).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(project),
        "PULUMI_BACKEND_URL": f"file://{project / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    _stub_outputs(project, Path(pulumi), json.dumps(outputs))
    subprocess.run(
        [pulumi, "stack", "init", "dev", "--non-interactive"],
        cwd=project,
        env=environment,
        check=True,
        capture_output=True,
    )
    return environment


def _stub_outputs(project: Path, pulumi: Path, outputs: str) -> None:
    """`pulumi stack output` without an `up`, which would need a language plugin; every other command is the CLI's own."""
    (project / "bin").mkdir()
    stub = project / "bin" / "pulumi"
    stub.write_text(
        f"#!/bin/sh\nif [ \"$1 $2\" = 'stack output' ]; then echo '{outputs}'; else exec '{pulumi}' \"$@\"; fi\n",
        encoding="utf-8",
    )
    stub.chmod(0o755)


# ---- the request after a deployment --------------------------------------------------------------------------------

SMOKE = [
    ({}, "verify --stack dev --timeout 150"),
    (
        {"SMOKE_REQUEST": "POST /orders", "SMOKE_EXPECT": "shop,stock"},
        "verify --stack dev --timeout 150 --request POST /orders --expect shop,stock",
    ),
]


@pytest.mark.parametrize("status", [0, 1])
@pytest.mark.parametrize(("own", "asked"), SMOKE, ids=["template", "fork"])
def test_the_smoke_check_is_what_verify_says(
    tmp_path: Path, own: dict[str, str], asked: str, status: int
) -> None:
    """A fork names its own request and services; the job is as green as the verification."""
    blueprint = tmp_path / ".venv" / "bin" / "blueprint"
    blueprint.parent.mkdir(parents=True)
    blueprint.write_text(f'#!/bin/sh\necho "$@"\nexit {status}\n', encoding="utf-8")
    blueprint.chmod(0o755)
    done = subprocess.run(
        ["bash", GITHUB / "smoke.sh", "dev"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], **own},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (status, asked)
