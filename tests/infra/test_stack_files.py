"""The stack files as shipped, and Pulumi.yaml: what an operator begins with."""

from __future__ import annotations

import pytest
import yaml
from stack_files import ENVIRONMENTS, ROOT, changed, config, filled_in, parsed

from infra.stack import KEYS, StackRefused

PROJECT = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("env", "ratio"), [("local", 1.0), ("dev", 1.0), ("staging", 1.0), ("prod", 0.1)])
def test_sampling_per_environment(env: str, ratio: float) -> None:
    """Every trace is kept, except in production."""
    assert parsed(env, filled_in(env)).tracing.sample_ratio == ratio


@pytest.mark.parametrize("env", ["dev", "staging", "prod"])
def test_a_shipped_file_is_refused_until_it_is_filled_in(env: str) -> None:
    """A placeholder never reaches Google: project and images each get a sentence; dev builds its own image."""
    with pytest.raises(StackRefused, match="gcp:project"):
        parsed(env, config(env))
    named = changed(config(env), "gcp:project", "acme-docs")
    if env == "dev":
        assert parsed(env, named).build
        return
    with pytest.raises(StackRefused, match="not the placeholder"):
        parsed(env, named)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_pipeline_is_the_same_everywhere(env: str) -> None:
    """gateway calls extract calls archive, which stores; only gateway is public."""
    stack = parsed(env, filled_in(env))
    assert stack.callees_first() == ["archive", "extract", "gateway"]
    assert [name for name, service in stack.services.items() if service.public] == ["gateway"]
    assert {name: service.env["PIPELINE_STEP"] for name, service in stack.services.items()} == {
        "gateway": "receive",
        "extract": "extract",
        "archive": "store",
    }
    assert stack.services["gateway"].env["REQUEST_BUDGET_MS"] == "1000"


@pytest.mark.parametrize(("env", "warm"), [("local", 1), ("dev", 0), ("staging", 0), ("prod", 1)])
def test_instances_are_kept_warm_where_it_is_said(env: str, warm: int) -> None:
    """A warm instance is the largest item of the bill."""
    assert {service.min_instances for service in parsed(env, filled_in(env)).services.values()} == {warm}


@pytest.mark.parametrize(
    ("env", "billing"),
    [("local", "instance"), ("dev", "request"), ("staging", "request"), ("prod", "request")],
)
def test_cpu_is_paid_for_while_requests_are_served(env: str, billing: str) -> None:
    """Said explicitly for each service, since it decides the bill (docs/decisions/0015)."""
    services = config(env)["blueprint:services"]
    assert {service["billing"] for service in services.values()} == {billing}


@pytest.mark.parametrize(
    ("env", "force"), [("local", True), ("dev", True), ("staging", False), ("prod", False)]
)
def test_documents_are_destroyed_with_the_stack_only_where_they_are_toys(env: str, force: bool) -> None:
    """A bucket with data is never destroyed by accident."""
    assert parsed(env, filled_in(env)).buckets["documents"].force_destroy is force


def test_pulumi_yaml_describes_every_key() -> None:
    """`pulumi config` and editors know the keys; only services has no default."""
    assert list(PROJECT["config"]) == KEYS
    assert all(key["description"] and key["type"] for key in PROJECT["config"].values())
    assert [name for name, key in PROJECT["config"].items() if "default" not in key] == ["services"]


def test_pulumi_yaml_names_the_program_and_the_stack_files() -> None:
    """The project's name is the namespace: Pulumi types and describes keys of no other."""
    assert (PROJECT["name"], PROJECT["main"], PROJECT["stackConfigDir"]) == ("blueprint", "infra", "stacks")
    assert PROJECT["runtime"]["options"]["virtualenv"] == ".venv"
