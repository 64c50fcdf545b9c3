"""Services with code of their own in the workflows: an image each, built once, and brought to every stack by its digest."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_workflow_scripts import GITHUB, IMAGE, OLD, OTHER, OWN, ROOT, _pulumi, needs_jq, needs_pulumi

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
    before: tuple[str, ...] = (),
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
        ["bash", GITHUB / "images.sh", *before, "dev", *arguments],
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


RUN = {"gateway": {"image": IMAGE}, "old": {"image": THUMBS}}
COVERS = {"source": "services/covers"}


@needs_pulumi
def test_a_preview_has_the_image_of_the_same_code_if_one_runs(tmp_path: Path) -> None:
    """Else another's, with a warning."""
    services = {"new": {"source": "services/thumbs"}, "covers": COVERS}
    done, found, asked = images(tmp_path, services, running=RUN, before=("--preview",))
    assert done.returncode == 0, done.stderr
    assert (found, asked) == ({"new": THUMBS, "covers": IMAGE}, [])
    assert (
        f"::warning::no image of services/covers runs yet: the preview shows covers with {IMAGE}"
        in done.stderr
    )
    assert done.stderr.count("::warning::") == 1


@needs_pulumi
def test_a_preview_pushes_nothing(tmp_path: Path) -> None:
    """Its identity may not; and where nothing runs there is nothing to stand in."""
    done, found, asked = images(
        tmp_path, {"covers": COVERS}, running={}, archives=("covers",), before=("--preview",)
    )
    assert (done.returncode, found, asked) == (1, {"covers": None}, [])


@needs_pulumi
def test_a_new_service_is_never_brought_up_with_another_s_image(tmp_path: Path) -> None:
    """`images.sh prod; pulumi up` is how an owner adds one: the template would answer in its place, and be green."""
    done, found, _ = images(tmp_path, {"gateway": {}, "covers": COVERS}, running=RUN)
    assert done.returncode == 1
    assert "there is no image for services/covers, which covers is: name it as a further IMAGE" in done.stderr
    assert found == {"gateway": None, "covers": None}


@needs_pulumi
def test_nor_is_the_template_with_a_service_s(tmp_path: Path) -> None:
    """The other way round, where only services of their own run."""
    done, found, _ = images(tmp_path, {"gateway": {}}, running={"old": {"image": THUMBS}})
    assert (done.returncode, found) == (1, {"gateway": None})


@needs_pulumi
def test_by_hand_too_a_new_service_has_what_its_archive_holds(tmp_path: Path) -> None:
    """Which .github/forks.sh has made; one that runs keeps what it runs, archive or not."""
    services = {"covers": COVERS, "old": {"source": "services/thumbs"}}
    running = RUN | {"old": {"image": GIVEN}}
    done, found, asked = images(tmp_path, services, running=running, archives=("covers", "thumbs"))
    assert done.returncode == 0, done.stderr
    assert found == {"covers": f"{REGISTRY}/covers@{THUMBS.partition('@')[2]}", "old": GIVEN}
    assert [line.split()[2] for line in asked if line.startswith("copy")] == [
        "oci-archive:service-covers.tar"
    ]


@needs_pulumi
def test_a_new_service_s_image_can_be_named_alone(tmp_path: Path) -> None:
    """The rest keeps what it runs: adding a service is no release of the template."""
    services = {
        "gateway": {},
        "new": {"source": "services/thumbs"},
        "was": {"source": "services/thumbs", "image": OLD},
    }
    done, found, _ = images(
        tmp_path, services, GIVEN, running={"gateway": {"image": IMAGE}, "was": {"image": OLD}}
    )
    assert done.returncode == 0, done.stderr
    assert found == {"gateway": IMAGE, "new": GIVEN, "was": GIVEN}


@needs_pulumi
def test_nothing_is_written_unless_every_image_is_known(tmp_path: Path) -> None:
    """Not the template's for `gateway`, and then an error for the next in the file."""
    services = {"gateway": {}, "thumbs": SERVICES["thumbs"]}
    done, found, _ = images(tmp_path, services, IMAGE)
    assert (done.returncode, done.stdout, found) == (1, "", {"gateway": None, "thumbs": None})


@needs_pulumi
def test_a_release_takes_nothing_over_from_what_runs(tmp_path: Path) -> None:
    """A build that is missing would else hold its service back, in a green pipeline."""
    done, found, _ = images(tmp_path, {"old": {"source": "services/thumbs"}}, IMAGE, running=RUN)
    assert (done.returncode, found) == (1, {"old": None})


def test_only_the_preview_of_a_pull_request_may_stand_in_another_s_image() -> None:
    """up.yml deploys what the script writes."""
    for name, option in (("preview", True), ("up", False)):
        text = (GITHUB / f"workflows/{name}.yml").read_text(encoding="utf-8")
        assert ("images.sh --preview" in text) is option


# ---- the recipes of the documents -----------------------------------------------------------------------------------

RECIPES = [
    ("docs/deployment.md", "own=REGION", "PROJECT_ID/services-prod/{name}:first-"),
    ("docs/state.md", "registry=REGION", "PROJECT_ID/services-prod/{name}:kept-"),
]
STRANGER = "docker.io/acme/other@sha256:" + "f" * 64


@needs_jq
@pytest.mark.parametrize(("document", "variable", "target"), RECIPES, ids=["first deployment", "another key"])
def test_a_recipe_copies_the_image_of_every_code(
    tmp_path: Path, document: str, variable: str, target: str
) -> None:
    """Each once, by its digest: an image that stays behind is missing when the service starts, or gone with its registry."""
    place = "DEV" if "deployment" in document else "REGION-docker.pkg.dev/PROJECT_ID"
    place += "/services-dev" if "deployment" in document else "/services-prod"
    digests = {"app": "1" * 64, "thumbs": "2" * 64}
    run = {name: f"{place}/{name}@sha256:{digest}" for name, digest in digests.items()}
    outputs = {
        service: {"image": image}
        for service, image in {"a": run["app"], "b": run["app"], "c": run["thumbs"], "d": STRANGER}.items()
    }
    text = (ROOT / document).read_text(encoding="utf-8")
    (block,) = [each for each in re.findall(r"```sh\n(.*?)```", text, re.S) if variable in each]
    note = '#!/bin/sh\necho "${0##*/} $*" >> asked\n'
    pulumi = f"{note}case $* in *'stack output services'*) echo '{json.dumps(outputs)}';; esac\n"
    stubs(tmp_path, pulumi=pulumi, **dict.fromkeys(("skopeo", "bash", "gcloud"), note), ls="#!/bin/sh\n")
    environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    subprocess.run(["/bin/bash", "-euc", block], cwd=tmp_path, env=environment, check=True)
    asked = (tmp_path / "asked").read_text(encoding="utf-8").splitlines()
    copies = [line for line in asked if line.startswith("skopeo copy --preserve-digests ")]
    for name, digest in digests.items():
        assert sum(f" docker://{run[name]} " in line for line in copies) == 1
        whole = f"docker://REGION-docker.pkg.dev/{target.format(name=name)}{digest}"
        assert sum(line.endswith(f" {whole}") for line in copies) == 1
    assert STRANGER not in "".join(asked)
    (images_sh,) = [line for line in asked if "images.sh" in line]
    if "deployment" in document:
        own = "REGION-docker.pkg.dev/PROJECT_ID/services-prod"
        named = " ".join(f"{own}/{name}@sha256:{digest}" for name, digest in digests.items())
        assert images_sh == f"bash .github/images.sh prod {named}"


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
