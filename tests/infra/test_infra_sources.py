"""`blueprint:services.<name>.source`: a service with code of its own, its image, and what stack `local` runs for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from recorded import Recorded, record
from stack_files import DIGEST, changed, filled_in, parsed

from infra.components.image import arguments, sources
from infra.schema import build_rules
from infra.stack import StackRefused

SOURCE = "services/thumbs"
REGISTRY = "europe-southwest1-docker.pkg.dev/acme-docs/services-dev"


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that holds such a service."""
    monkeypatch.setattr(build_rules, "_ROOT", tmp_path)
    (tmp_path / SOURCE).mkdir(parents=True)
    (tmp_path / SOURCE / "Dockerfile").touch()
    return tmp_path


def with_thumbs(env: str, **service: Any) -> dict[str, Any]:
    return changed(filled_in(env), "services.thumbs", {"source": SOURCE, "concurrency": 12, **service})


def building(*without_image: str, **thumbs: Any) -> dict[str, Any]:
    values = changed(with_thumbs("dev", **thumbs), "build", True)
    for name in without_image:
        values = changed(values, f"services.{name}.image", ...)
    return values


def images(recorded: Recorded) -> dict[str, str]:
    """What each Cloud Run service runs."""
    return {
        name: each["template"]["containers"][0]["image"]
        for name, each in recorded.of("Service").items()
        if "template" in each
    }


def test_each_source_is_one_image_of_its_own_name() -> None:
    """Two services of one source share one; that of the template is `app` as before."""
    values = changed(building("gateway", "extract"), "services.covers", {"source": SOURCE, "concurrency": 12})
    recorded = record("dev", values)
    built = recorded.of("Image")
    assert built.keys() == {"app-dev", "thumbs-dev"}
    assert built["thumbs-dev"]["context"] == {"location": "../services/thumbs"}
    assert built["thumbs-dev"]["dockerfile"] == {"location": "../services/thumbs/Dockerfile"}
    assert built["thumbs-dev"]["tags"] == [f"{REGISTRY}/thumbs:dev"]
    app, thumbs = (f"{REGISTRY}/{name}@sha256:" + "b" * 64 for name in ("app", "thumbs"))
    expected = {"gateway": app, "extract": app, "archive": DIGEST, "thumbs": thumbs, "covers": thumbs}
    assert images(recorded) == {f"{name}-dev": image for name, image in expected.items()}
    assert {name: each["image"] for name, each in recorded.exports["services"].items()} == expected


def test_what_nobody_runs_is_not_built() -> None:
    """Minutes of every `up`."""
    assert sources(parsed("dev", building())) == [SOURCE]
    assert sources(parsed("dev", building("gateway", image=DIGEST))) == [None]
    assert sources(parsed("dev", with_thumbs("dev", image=DIGEST))) == []


def test_the_other_arguments_of_the_build_are_the_template_s() -> None:
    """Platform, push, and no build in a preview."""
    template, own = (arguments(parsed("dev", building()), REGISTRY, source) for source in (None, SOURCE))
    assert {key for key in template if template[key] != own[key]} == {"context", "dockerfile", "tags"}


def test_stack_local_runs_the_directory() -> None:
    """ops/image.py knows what this name stands for; the template's is `local` as before."""
    recorded = record("local", with_thumbs("local"))
    assert images(recorded)["thumbs-local"] == "local/services/thumbs"
    assert images(recorded)["gateway-local"] == "local"
    named = record("local", with_thumbs("local", image="own"))
    assert images(named)["thumbs-local"] == "own"


@pytest.mark.parametrize("env", ["staging", "prod"])
def test_elsewhere_a_digest_is_needed_as_for_the_template(env: str) -> None:
    """`source` says what the pipeline builds; the stack runs what ran before."""
    with pytest.raises(
        StackRefused, match=r"services\.thumbs\.image is missing, but must be an image by digest"
    ):
        parsed(env, with_thumbs(env))
    assert images(record(env, with_thumbs(env, image=DIGEST)))[f"thumbs-{env}"] == DIGEST


@pytest.mark.parametrize(
    "source", ["thumbs", "services/", "services/a/b", "services/../app", "/services/thumbs", "services/Thumbs", "."]
)  # fmt: skip
def test_a_source_is_a_directory_below_services(source: str) -> None:
    """Its last part names the image, so two sources never share one."""
    with pytest.raises(StackRefused, match=r"services\.thumbs\.source .* but must be services/<directory>"):
        parsed("local", with_thumbs("local", source=source))


def test_the_template_s_name_is_taken() -> None:
    """Its image would overwrite that of every other service."""
    with pytest.raises(StackRefused, match="app is the template's image"):
        parsed("local", with_thumbs("local", source="services/app"))


def test_a_directory_without_a_dockerfile_is_refused_where_it_would_be_built(repository: Path) -> None:
    """Before Docker says it in the middle of an `up`."""
    (repository / SOURCE / "Dockerfile").unlink()
    with pytest.raises(
        StackRefused, match=r'services\.thumbs\.source is "services/thumbs", .*holds a Dockerfile'
    ):
        parsed("dev", building())
    assert parsed("dev", with_thumbs("dev", image=DIGEST))
