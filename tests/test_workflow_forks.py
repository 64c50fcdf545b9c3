"""Services with code of their own in the workflows: an image each, built once, and brought to every stack by its digest."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_workflow_scripts import GITHUB, IMAGE, OLD, OTHER, OWN, ROOT, _pulumi, needs_pulumi

REGISTRY = OWN.removesuffix("/app")
THUMBS, GIVEN = (f"{REGISTRY}/thumbs@sha256:{digit * 64}" for digit in "12")
SKOPEO = f"""#!/bin/sh
echo "$@" >> asked
case $1 in
  copy) case $* in *broken*) exit 1;; *docker-archive:*) touch "${{3#oci-archive:}}";; esac;;
  inspect) echo {THUMBS.partition("@")[2]};;
esac
"""


def stubs(project: Path, **scripts: str) -> None:
    """Programs that note down what they are asked, in the file `asked`."""
    for name, text in scripts.items():
        path = project / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)


def images(
    project: Path,
    services: dict[str, Any],
    *arguments: str,
    archives: tuple[str, ...] = (),
    running: Any = None,
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any], list[str]]:
    """images.sh over a stack file with these services: how it ended, the images in the file, and what skopeo was asked."""
    config = {"gcp:project": "acme-docs", "gcp:region": "europe-west1", "blueprint:services": services}
    file = project / "stacks/Pulumi.dev.yaml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump({"config": config}), encoding="utf-8")
    (project / "Pulumi.yaml").write_text(
        "name: blueprint\nruntime: yaml\nstackConfigDir: stacks\n", encoding="utf-8"
    )
    environment = _pulumi(project, running or {})
    stubs(project, skopeo=SKOPEO)
    for name in archives:
        (project / f"service-{name}.tar").touch()
    done = subprocess.run(
        ["bash", GITHUB / "images.sh", "dev", *arguments],
        cwd=project,
        env={**environment, "GITHUB_SHA": "c0ffee"},
        capture_output=True,
        text=True,
        check=False,
    )
    left = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]["blueprint:services"]
    asked = project / "asked"
    return (
        done,
        {name: each.get("image") for name, each in left.items()},
        asked.read_text(encoding="utf-8").splitlines() if asked.exists() else [],
    )


SERVICES = {
    "gateway": {"public": True},
    "thumbs": {"source": "services/thumbs"},
    "placed": {"source": "services/thumbs", "image": "REGION-docker.pkg.dev/PROJECT_ID/services-dev/thumbs@sha256:DIGEST"},
    "older": {"source": "services/thumbs", "image": GIVEN},
    "was the template": {"source": "services/thumbs", "image": OLD},
    "other": {"source": "services/thumbs", "image": OTHER},
    "neighbour": {"image": GIVEN},
}  # fmt: skip


@needs_pulumi
def test_each_service_gets_the_image_of_its_own_code(tmp_path: Path) -> None:
    """By the digest that was built, out of the archive, into the stack's own registry."""
    services = {name.replace(" ", "-"): each for name, each in SERVICES.items()}
    done, found, asked = images(tmp_path, services, IMAGE, archives=("thumbs",))
    assert done.returncode == 0, done.stderr
    assert found == {
        "gateway": IMAGE,
        **dict.fromkeys(("thumbs", "placed", "older", "was-the-template"), THUMBS),
        "other": OTHER,
        "neighbour": GIVEN,
    }
    assert (
        asked[0]
        == f"copy --preserve-digests oci-archive:service-thumbs.tar docker://{REGISTRY}/thumbs:c0ffee"
    )


@needs_pulumi
def test_an_image_that_is_given_by_hand_is_not_pushed(tmp_path: Path) -> None:
    """Where it was brought to the registry before: docs/deployment.md, the first `up` of prod."""
    done, found, asked = images(tmp_path, {"thumbs": SERVICES["thumbs"]}, IMAGE, GIVEN)
    assert done.returncode == 0, done.stderr
    assert (found, asked) == ({"thumbs": GIVEN}, [])


@needs_pulumi
@pytest.mark.parametrize(
    ("archives", "name"), [((), "thumbs"), (("broken",), "broken")], ids=["no archive", "no push"]
)
def test_without_its_own_image_a_service_never_gets_another_s(
    tmp_path: Path, archives: tuple[str, ...], name: str
) -> None:
    """The pipeline stops; the template would answer in its place else, and be green."""
    done, found, _ = images(tmp_path, {name: {"source": f"services/{name}"}}, IMAGE, archives=archives)
    assert done.returncode != 0
    assert found == {name: None}
    if not archives:
        assert "there is no image for services/thumbs" in done.stderr


@needs_pulumi
def test_a_preview_has_the_image_of_the_same_code_if_one_runs(tmp_path: Path) -> None:
    """Else another's, as for any service that does not run yet."""
    running = {"gateway": {"image": IMAGE}, "old": {"image": THUMBS}}
    services = {"new": {"source": "services/thumbs"}, "covers": {"source": "services/covers"}}
    done, found, _ = images(tmp_path, services, running=running)
    assert done.returncode == 0, done.stderr
    assert found == {"new": THUMBS, "covers": IMAGE}


# ---- the build -----------------------------------------------------------------------------------------------------


def forks(project: Path, **scripts: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """forks.sh with these programs in the place of Docker, curl and skopeo."""
    note = '#!/bin/sh\necho "${0##*/} $*" >> asked\n'
    stubs(project, **{"docker": note, "curl": note, "skopeo": note, **scripts})
    done = subprocess.run(
        ["bash", GITHUB / "forks.sh"],
        cwd=project,
        env={"PATH": f"{project / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    asked = project / "asked"
    return done, asked.read_text(encoding="utf-8").splitlines() if asked.exists() else []


def test_each_dockerfile_below_services_becomes_an_archive_that_was_started_once(tmp_path: Path) -> None:
    """From its own directory, by the name under which images.sh looks for it."""
    for name in ("covers", "thumbs"):
        shutil.copytree(ROOT / "starter", tmp_path / "services" / name)
        (tmp_path / "services" / name / "Dockerfile").touch()
    (tmp_path / "services/notes").mkdir()
    done, asked = forks(tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line for line in asked if line.startswith("docker build")] == [
        f"docker build --platform linux/amd64 --tag service-{name}:built services/{name}"
        for name in ("covers", "thumbs")
    ]
    assert sum(line.startswith("curl ") and "/healthz" in line for line in asked) == 2
    assert "skopeo copy docker-archive:saved.tar oci-archive:service-thumbs.tar" in asked
    assert "docker-daemon:" not in "".join(asked)


def test_without_services_of_one_s_own_nothing_is_built(tmp_path: Path) -> None:
    """The template as it is shipped."""
    done, asked = forks(tmp_path)
    assert (done.returncode, asked) == (0, [])


@pytest.mark.parametrize("program", ["docker", "curl", "skopeo"])
def test_a_service_that_does_not_build_start_or_save_stops_the_pipeline(tmp_path: Path, program: str) -> None:
    """Before anything of the commit is deployed."""
    (tmp_path / "services/thumbs").mkdir(parents=True)
    (tmp_path / "services/thumbs/Dockerfile").touch()
    done, _ = forks(tmp_path, **{program: "#!/bin/sh\nexit 7\n"})
    assert done.returncode != 0


def test_the_archives_travel_with_the_template_s() -> None:
    """One artifact, which up.yml unpacks where images.sh looks."""
    jobs = yaml.safe_load((GITHUB / "workflows/deploy.yml").read_text(encoding="utf-8"))["jobs"]
    steps = jobs["image"]["steps"]
    (upload,) = [step["with"] for step in steps if "upload-artifact" in step.get("uses", "")]
    assert upload["path"].split() == ["image.tar", "service-*.tar"]
    runs = [step.get("run", "") for step in steps]
    assert runs.index("bash .github/forks.sh") == len(runs) - 2
