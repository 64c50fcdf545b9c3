"""`blueprint:build`: an image that Pulumi builds, where it may, and what runs it; and the registry that holds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest
import recorded as recording
from recorded import Recorded, record
from stack_files import DIGEST, ROOT, changed, filled_in, parsed

from infra import stack as stacks
from infra.components.image import Image, arguments
from infra.components.registry import Registry, cleanup_policies
from infra.schema.build_rules import build

ADDRESS = "europe-southwest1-docker.pkg.dev/acme-docs/services-dev"


def _without_image(env: str = "dev", service: str = "archive") -> dict[str, Any]:
    return changed(filled_in(env), f"services.{service}.image", ...)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """The registry and the image alone."""

    def declare() -> None:
        this = stacks.read()
        registry = Registry(this)
        pulumi.export("image", Image(this, registry).digest_reference)

    monkeypatch.setattr(recording, "declare", declare)
    return record("dev", changed(_without_image(), "build", True))


def test_services_run_the_digest_and_not_the_tag(built: Recorded) -> None:
    """A tag can move under a revision that is already there."""
    assert built.exports["image"] == f"{ADDRESS}/app@sha256:" + "b" * 64


def test_the_image_waits_for_its_registry(built: Recorded) -> None:
    """A push into a repository that does not exist yet fails, in a fresh project each time."""
    image = next(each for each in built.declared() if each.kind == "Image")
    repository = next(each for each in built.declared() if each.kind == "Repository")
    assert built.urn_of(repository) in image.after


def test_the_build_is_the_dockerfile_for_cloud_run_s_machines(built: Recorded) -> None:
    """And no path of anybody's machine gets into the state, or each colleague's `up` would build anew."""
    (inputs,) = built.of("Image").values()
    assert inputs["platforms"] == ["linux/amd64"]
    assert inputs["push"] is True
    assert inputs["buildOnPreview"] is False
    assert inputs["tags"] == [f"{ADDRESS}/app:dev"]
    paths = [inputs["context"]["location"], inputs["dockerfile"]["location"]]
    assert not [path for path in paths if Path(path).is_absolute()]
    assert (ROOT / "infra" / paths[0]).resolve() == ROOT
    assert (ROOT / "infra" / paths[1]).resolve() == ROOT / "Dockerfile"


def test_arguments_are_pure() -> None:
    """Decided without Pulumi."""
    assert arguments(parsed("dev", filled_in("dev")), ADDRESS)["tags"] == [f"{ADDRESS}/app:dev"]


@pytest.mark.parametrize("env", ["staging", "prod"])
def test_what_was_tried_elsewhere_is_not_built_again(env: str) -> None:
    """Staging and prod run the digest that ran before."""
    stack = parsed(env, filled_in(env)).model_copy(update={"build": True})
    (problem,) = build(stack)
    assert str(problem) == (
        f"blueprint:build is true, but must be false in {env}, which takes the digest that ran before; "
        "remove it, and name the image by its digest."
    )


def test_the_laptop_builds_nothing() -> None:
    """Stack local runs the working tree."""
    (problem,) = build(parsed("local", filled_in("local")).model_copy(update={"build": True}))
    assert "stack local, which runs the working tree" in str(problem)


def test_a_build_that_nobody_runs_is_refused() -> None:
    """Minutes of every `up`, for an image beside the ones that run."""
    (problem,) = build(parsed("dev", filled_in("dev")).model_copy(update={"build": True}))
    assert "false where every service names an image" in str(problem)


def test_with_build_a_service_needs_no_image() -> None:
    """A fresh project comes up in one `pulumi up`, with no image pushed by hand."""
    stack = parsed("dev", changed(_without_image(), "build", True))
    assert stack.services["archive"].image is None
    assert stack.services["gateway"].image == DIGEST
    assert list(build(stack)) == []


def test_images_are_scanned(built: Recorded) -> None:
    """As far as the repository can say it; the API that scans is among those of infra/components/apis.py."""
    (repository,) = built.of("Repository").values()
    assert repository["vulnerabilityScanningConfig"] == {"enablementConfig": "INHERITED"}


def test_old_images_go_but_never_the_latest() -> None:
    """A registry grows by every push for ever otherwise, and a revision that serves must keep its image."""
    policies = {policy["action"]: policy for policy in cleanup_policies()}
    assert policies["DELETE"]["condition"] == {"older_than": "7776000s", "tag_state": "ANY"}
    assert policies["KEEP"]["most_recent_versions"]["keep_count"] >= 20
