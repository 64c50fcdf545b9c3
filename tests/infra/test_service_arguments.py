"""The pure builders of a service: its environment, its revision, its bucket and registry, without Pulumi."""

from __future__ import annotations

from typing import Any

import pytest
from stack_files import DIGEST, changed, filled_in, parsed

from infra.components.bucket import arguments as bucket_arguments
from infra.components.registry import cleanup_policies
from infra.components.service import arguments
from infra.environment import SET_HERE, environment
from infra.revision import template
from infra.stack import Stack

URLS = '{"extract": "https://extract.test"}'


def _stack(path: str = "", value: Any = None, env: str = "dev") -> Stack:
    values = filled_in(env)
    return parsed(env, changed(values, path, value) if path else values)


def test_the_environment_of_a_service() -> None:
    """The table of docs/architecture.md, and the service's own settings."""
    assert environment(_stack(), "gateway", URLS) == {
        "BUCKET_NAMES": "{}",
        "ENVIRONMENT": "dev",
        "GOOGLE_CLOUD_PROJECT": "acme-docs",
        "GOOGLE_CLOUD_REGION": "europe-southwest1",
        "OTEL_SERVICE_NAME": "gateway",
        "OTEL_TRACES_EXPORTER": "gcp_otlp",
        "OTEL_TRACES_SAMPLER_ARG": "1.0",
        "PIPELINE_STEP": "receive",
        "REQUEST_BUDGET_MS": "1000",
        "SERVICE_BILLING": "request",
        "SERVICE_PUBLIC": "true",
        "SERVICE_TIMEOUT_S": "60",
        "SERVICE_URLS": URLS,
        "TRACE_KEEP_PER_SECOND": "100",
        "TRACE_KEEP_SLOW_MS": "2000",
    }


def test_the_environment_table_in_the_docs_is_what_infra_sets() -> None:
    """A reader of docs/architecture.md can rely on its table."""
    from stack_files import ROOT

    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    assert {name.strip(" `") for row in rows for name in row.split(",")} >= SET_HERE.keys()
    assert set(environment(_stack(), "archive", "{}")) - {"PIPELINE_STEP"} == SET_HERE.keys()


def test_buckets_reach_a_service_by_logical_name() -> None:
    """The application never builds a bucket's name."""
    assert (
        environment(_stack(), "archive", "{}")["BUCKET_NAMES"] == '{"documents": "acme-docs-documents-dev"}'
    )


@pytest.mark.parametrize(("written", "seen"), [(1000, "1000"), (0.5, "0.5"), (True, "true"), ("x", "x")])
def test_application_settings_reach_the_process_as_text(written: Any, seen: str) -> None:
    """YAML's numbers and booleans too."""
    stack = _stack("services.gateway.env.LIMIT", written)
    assert environment(stack, "gateway", "{}")["LIMIT"] == seen


@pytest.mark.parametrize(
    ("key", "value", "variable", "seen"),
    [
        ("exporter", "console", "OTEL_TRACES_EXPORTER", "console"),
        ("sample_ratio", 0.25, "OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ("keep_slow_ms", 750, "TRACE_KEEP_SLOW_MS", "750"),
        ("keep_per_second", 0, "TRACE_KEEP_PER_SECOND", "0"),
    ],
)
def test_tracing_is_the_same_in_every_service(key: str, value: Any, variable: str, seen: str) -> None:
    """Services that decide differently keep different parts of one trace."""
    stack = _stack(f"tracing.{key}", value)
    assert {environment(stack, name, "{}")[variable] for name in stack.services} == {seen}


@pytest.mark.parametrize(
    ("path", "value", "at", "expected"),
    [
        ("services.gateway.timeout", 5, ("timeout",), "5s"),
        ("services.gateway.concurrency", 7, ("max_instance_request_concurrency",), 7),
        ("services.gateway", {"image": DIGEST}, ("max_instance_request_concurrency",), 80),
        ("services.gateway.max_instances", 9, ("scaling",), {"min_instance_count": 0, "max_instance_count": 9}),
        ("services.gateway.billing", "request", ("containers", 0, "resources", "cpu_idle"), True),
        ("services.gateway.billing", "instance", ("containers", 0, "resources", "cpu_idle"), False),
        ("services.gateway.memory", "1Gi", ("containers", 0, "resources", "limits"), {"cpu": "1", "memory": "1Gi"}),
        ("services.gateway.cpu", 2, ("containers", 0, "resources", "limits", "cpu"), "2"),
        ("services.gateway.cpu", 1, ("containers", 0, "resources", "startup_cpu_boost"), True),
    ],
)  # fmt: skip
def test_a_key_of_the_stack_file_becomes_this_input(
    path: str, value: Any, at: tuple[Any, ...], expected: Any
) -> None:
    """Each key has its place in the revision template."""
    found: Any = template(_stack(path, value), "gateway", "gateway@x", URLS)
    for step in at:
        found = found[step]
    assert found == expected


def test_both_probes_ask_the_health_route() -> None:
    """A cold start is noticed within a second, a dead instance within half a minute."""
    container = template(_stack(), "gateway", "gateway@x", URLS)["containers"][0]
    start, live = container["startup_probe"], container["liveness_probe"]
    assert start["http_get"] == live["http_get"] == {"path": "/healthz"}
    assert (start["period_seconds"], start["failure_threshold"]) == (1, 60)
    assert live["period_seconds"] * live["failure_threshold"] == 30


def test_only_the_local_stack_runs_the_working_tree() -> None:
    """Its image needs no name."""
    assert template(_stack(env="local"), "gateway", "g@x", "{}")["containers"][0]["image"] == "local"


@pytest.mark.parametrize(("env", "protected"), [("dev", False), ("prod", True)])
def test_deletion_protection_is_always_said(env: str, protected: bool) -> None:
    """Its default is true."""
    assert arguments(_stack(env=env), "gateway", "g@x", "{}")["deletion_protection"] is protected


def test_a_bucket_is_shut_and_in_the_region_of_its_services() -> None:
    """Nothing that Google leaves open by default stays open."""
    found = bucket_arguments(_stack(), "documents")
    assert found["location"] == "EUROPE-SOUTHWEST1"
    assert found["uniform_bucket_level_access"] is True
    assert found["public_access_prevention"] == "enforced"


@pytest.mark.parametrize(("days", "seconds"), [(0, 0), (7, 604800), (90, 7776000)])
def test_soft_delete_is_explicit(days: int, seconds: int) -> None:
    """Its default of 7 days is billed, so it is said."""
    found = bucket_arguments(_stack("buckets.documents.soft_delete_days", days), "documents")
    assert found["soft_delete_policy"] == {"retention_duration_seconds": seconds}


@pytest.mark.parametrize(
    ("days", "rules"), [(..., [("AbortIncompleteMultipartUpload", 1)]), (30, [("AbortIncompleteMultipartUpload", 1), ("Delete", 30)])]
)  # fmt: skip
def test_lifecycle(days: Any, rules: list[tuple[str, int]]) -> None:
    """Uploads that were never finished always go; objects only if an age is set."""
    found = bucket_arguments(_stack("buckets.documents.delete_after_days", days), "documents")[
        "lifecycle_rules"
    ]
    assert [(rule["action"]["type"], rule["condition"]["age"]) for rule in found] == rules


def test_the_registry_keeps_what_a_revision_may_run() -> None:
    """Old images go, the latest stay however old."""
    assert [policy["action"] for policy in cleanup_policies()] == ["DELETE", "KEEP"]
