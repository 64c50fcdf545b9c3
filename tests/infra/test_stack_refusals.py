"""Every mistake in a stack file is refused before anything is declared, in a sentence an operator can act on."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest
from recorded import Recorded, record
from stack_files import DIGEST, changed, filled_in, parsed

from infra.stack import StackRefused

DEV = filled_in("dev")
FAR = {"location": "australia-southeast1"}

MISTAKES: list[tuple[str, Any, str]] = [
    # path, value (... removes the key), what the sentence must say
    ("gcp:project", "PROJECT_ID", 'gcp:project is "PROJECT_ID", but must be the id of your Google Cloud project'),
    ("gcp:project", ..., "gcp:project is missing, but must be the id of your Google Cloud project"),
    ("gcp:region", "Madrid", 'gcp:region is "Madrid", but must be a Google Cloud region such as europe-west1'),
    ("gcp:region", ..., "gcp:region is missing"),
    ("servces", {}, "blueprint:servces is \"servces\", but must be one of alerts, buckets, build, ci, costs, encryption_key, labels, notify, runbook_url, services, tracing; write services."),
    ("services", {}, "blueprint:services is {}, but must be a map of at least one service"),
    ("services", ..., "blueprint:services is missing, but must be a map of services by name"),
    ("services", ["gateway"], 'blueprint:services is ["gateway"], but must be a map of services by name'),
    ("services.gateway", "yes", 'blueprint:services.gateway is "yes", but must be a map of image, calls, buckets, public'),
    ("services.gateway.timeuot", 9, "blueprint:services.gateway.timeuot"),
    ("services.gateway.timeuot", 9, "write timeout."),
    ("services.timeout", {"image": DIGEST, "cpus": 1}, "write cpu."),
    ("services.Gate", {}, 'blueprint:services.Gate is "Gate-dev", but must be 6 to 30 lower-case letters'),
    ("services.x", {}, 'blueprint:services.x is "x-dev", but must be 6 to 30'),
    ("services.a-name-of-a-service-that-is-long", {}, "must be 6 to 30"),
    ("services.gateway.image", ..., "blueprint:services.gateway.image is missing, but must be an image with a tag or digest"),
    ("services.gateway.image", "local", "only stack local runs the working tree"),
    ("services.gateway.image", "REGION-docker.pkg.dev/PROJECT_ID/services-dev/app:TAG", "not the placeholder; replace it in stacks/Pulumi.dev.yaml."),
    ("services.gateway.image", "europe-west1-docker.pkg.dev/acme/app/gateway", "must be an image with a tag or digest; name the version"),
    ("services.gateway.image", "localhost:5000/gateway", "must be an image with a tag or digest; name the version"),
    ("services.gateway.calls", "extract", 'blueprint:services.gateway.calls is "extract", but must be a list of other services'),
    ("services.gateway.calls", ["extrat"], 'blueprint:services.gateway.calls is "extrat", but must be one of archive, extract; declare the service or correct the name.'),
    ("services.gateway.calls", ["gateway"], 'calls is "gateway", but must be one of archive, extract'),
    ("services.gateway.calls", ["extract", "extract"], "must be free of repetitions; name extract once."),
    ("services.archive.calls", ["gateway"], '"gateway → extract → archive → gateway", but must be free of cycles'),
    ("services.archive.buckets", ["docs"], 'blueprint:services.archive.buckets is "docs", but must be one of documents; declare the bucket'),
    ("services.gateway.public", "true", 'blueprint:services.gateway.public is "true", but must be true or false'),
    ("services.gateway.timeout", 0, "timeout is 0, but must be whole seconds from 1 to 3600"),
    ("services.gateway.timeout", 3601, "timeout is 3601, but must be whole seconds from 1 to 3600"),
    ("services.gateway.timeout", "60s", 'timeout is "60s", but must be whole seconds'),
    ("services.gateway.timeout", 1.5, "timeout is 1.5, but must be whole seconds"),
    ("services.gateway.cpu", 3, "cpu is 3.0, but must be 1, 2, 4, 6 or 8, or a fraction from 0.08 to below 1"),
    ("services.gateway.cpu", 0.05, "cpu is 0.05, but must be 1, 2, 4, 6 or 8"),
    ("services.gateway.cpu", "2", 'cpu is "2", but must be 1, 2, 4, 6 or 8'),
    ("services.gateway.cpu", 4, 'memory is "512Mi", but must be 2048Mi to 16384Mi with cpu 4'),
    ("services.gateway.cpu", 6, 'memory is "512Mi", but must be 4096Mi to 24576Mi with cpu 6'),
    ("services.gateway", {"image": DIGEST, "cpu": 0.5, "billing": "instance"}, 'billing is "instance", but must be request with cpu 0.5; set it to request, or cpu to 1.'),
    ("services.gateway", {"image": DIGEST, "cpu": 0.5, "concurrency": 9}, "concurrency is 9, but must be 1 with cpu 0.5; set it to 1, or cpu to 1."),
    ("tracing", "off", 'blueprint:tracing is "off", but must be a map of exporter, sample_ratio, keep_slow_ms, keep_per_second'),
    ("services.gateway.memory", "512", 'memory is "512", but must be a quantity in Mi or Gi, such as 512Mi'),
    ("services.gateway.memory", "5Gi", 'memory is "5Gi", but must be 128Mi to 4096Mi with cpu 1'),
    ("services.gateway", {"image": DIGEST, "memory": "256Mi", "billing": "instance"}, 'memory is "256Mi", but must be 512Mi or more with billing instance'),
    ("services.gateway.concurrency", 0, "concurrency is 0, but must be a whole number from 1 to 1000"),
    ("services.gateway.min_instances", 9, "min_instances is 9, but must be at most max_instances, which is 4"),
    ("services.gateway.min_instances", -1, "min_instances is -1, but must be a whole number from 0 to max_instances"),
    ("services.gateway.max_instances", 0, "max_instances is 0, but must be a whole number from 1 to 1000"),
    ("services.gateway.billing", "cheap", 'billing is "cheap", but must be request or instance'),
    ("services.gateway.env", ["A=1"], "env is [\"A=1\"], but must be a map of variable names"),
    ("services.gateway.env.ENVIRONMENT", "x", "since infra/ sets this variable; remove it; the stack's name is used."),
    ("services.gateway.env.OTEL_TRACES_EXPORTER", "none", "remove it; set blueprint:tracing.exporter."),
    ("services.gateway.env.SERVICE_BILLING", "request", "remove it; set billing."),
    ("services.gateway.env.TRACE_KEEP_SLOW_MS", 500, "remove it; set blueprint:tracing.keep_slow_ms."),
    ("services.gateway.env.TRACE_KEEP_PER_SECOND", 5, "remove it; set blueprint:tracing.keep_per_second."),
    ("services.gateway.env.PORT", 80, "since Cloud Run sets this variable"),
    ("services.gateway.env.K_SERVICE", "x", "since Cloud Run sets this variable"),
    ("services.gateway.env.api-key", "s3cret", 'env is "api-key", but must be a map of names in capitals'),
    ("buckets.documents", FAR, "buckets.documents.location is \"australia-southeast1\", but must be the stack's region europe-southwest1 (every access would cross regions); remove location, or say why in blueprint:buckets.documents.cross_region_reason."),
    ("buckets.documents", {**FAR, "cross_region_reason": "because"}, 'cross_region_reason is "because", but must be a reason in words'),
    ("buckets.documents.region", "eu", "buckets.documents.region"),
    ("buckets.documents.soft_delete_days", 3, "soft_delete_days is 3, but must be 0, or 7 to 90"),
    ("buckets.documents.delete_after_days", 0, "delete_after_days is 0, but must be whole days from 1 to 3650"),
    ("buckets.Docs", {}, 'blueprint:buckets.Docs is "acme-docs-Docs-dev", but must be 3 to 63'),
    ("buckets.google", {}, "without the word google"),
    ("tracing.exporter", "datadog", 'tracing.exporter is "datadog", but must be one of gcp_otlp, gcp_trace, otlp, console, none'),
    ("tracing.sample_ratio", 10, "tracing.sample_ratio is 10, but must be a number from 0 to 1"),
    ("tracing.sample_ratio", -0.1, "but must be a number from 0 to 1"),
    ("tracing.keep_slow_ms", 0, "tracing.keep_slow_ms is 0, but must be whole milliseconds from 1 to 3600000"),
    ("tracing.keep_slow_ms", 3_600_001, "tracing.keep_slow_ms is 3600001, but must be whole milliseconds"),
    ("tracing.keep_slow_ms", 0.5, "tracing.keep_slow_ms is 0.5, but must be whole milliseconds"),
    ("tracing.keep_slow_ms", "2s", 'tracing.keep_slow_ms is "2s", but must be whole milliseconds'),
    ("tracing.keep_per_second", -1, "tracing.keep_per_second is -1, but must be a whole number from 0 (none) to 1000"),
    ("tracing.keep_per_second", 1001, "tracing.keep_per_second is 1001, but must be a whole number from 0 (none) to 1000"),
    ("tracing.keep_slow", 500, "write keep_slow_ms."),
    ("notify.emails", ["team"], 'blueprint:notify.emails.0 is "team", but must be a list of e-mail addresses such as team@example.com'),
    ("notify", "a@example.com", 'blueprint:notify is "a@example.com", but must be a map of emails, slack, pagerduty, webhooks'),
    ("runbook_url", "http://x", 'runbook_url is "http://x", but must be an https address'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "says"), MISTAKES, ids=[f"{path}={value}"[:60] for path, value, _ in MISTAKES]
)
def test_a_mistake_is_refused_with_key_value_allowed_and_remedy(path: str, value: Any, says: str) -> None:
    """One line, no dump of a library, no trace; `says` is part of it."""
    with pytest.raises(StackRefused) as refused:
        parsed("dev", changed(DEV, path, value))
    sentences = str(refused.value).splitlines()
    assert any(says in sentence for sentence in sentences), str(refused.value)
    for sentence in sentences:
        assert " is " in sentence
        assert ", but must be " in sentence
        assert "; " in sentence
        assert sentence.endswith(".")
        assert "pydantic" not in sentence


def test_all_mistakes_are_named_at_once() -> None:
    """Nobody mends a file one failed deployment at a time."""
    values = changed(changed(DEV, "services.gateway.timeout", 0), "tracing.sample_ratio", 2)
    with pytest.raises(StackRefused) as refused:
        parsed("dev", values)
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize("name", ["Dev", "d", "a-very-long-name"])
def test_a_stack_name_that_cannot_end_resource_names_is_refused(name: str) -> None:
    """Every resource is called `<name>-<stack>`."""
    with pytest.raises(StackRefused, match="the stack's name is"):
        parsed(name, DEV)


def test_a_value_is_not_shown_when_only_its_name_is_wrong() -> None:
    """A misnamed variable may hold a secret."""
    with pytest.raises(StackRefused) as refused:
        parsed("dev", changed(DEV, "services.gateway.env.api-key", "s3cret"))
    assert "s3cret" not in str(refused.value)


def test_the_program_refuses_before_it_declares() -> None:
    """A `RunError`, which Pulumi shows without a stack trace, and not one resource."""
    recorded = Recorded()
    with pytest.raises(pulumi.RunError, match="blueprint:services\\.gateway\\.timeout is 0"):
        record("dev", changed(DEV, "services.gateway.timeout", 0), recorded)
    assert recorded.resources == []


def test_a_value_that_is_no_json_is_judged_as_text() -> None:
    """`pulumi config set blueprint:services gateway` is a mistake like any other."""
    with pytest.raises(pulumi.RunError, match='blueprint:services is "gateway"'):
        record("dev", changed(DEV, "services", "gateway"))


def test_an_unknown_key_in_the_stack_file_is_found_by_the_program() -> None:
    """Pulumi itself accepts any key."""
    with pytest.raises(pulumi.RunError, match="write buckets"):
        record("dev", changed(DEV, "bucktes", {}))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("buckets.documents", {"location": "EUROPE-southwest1"}),
        ("buckets.documents", {**FAR, "cross_region_reason": "re-enacts the incident"}),
        ("services.gateway.cpu", 2),
        ("tracing.sample_ratio", 1),
        ("tracing", ...),
        ("tracing.keep_slow_ms", 1),
        ("tracing.keep_slow_ms", 3_600_000),
        ("tracing.keep_per_second", 0),
        ("tracing.keep_per_second", 1000),
        ("services.gateway.memory", "256Mi"),
        ("notify.emails", ["team@example.com"]),
        ("services.gateway.env", {"REQUEST_BUDGET_MS": 1000, "DEBUG": False}),
        ("services.timeout", {"image": DIGEST}),
    ],
)  # fmt: skip
def test_what_is_allowed_is_accepted(path: str, value: Any) -> None:
    """The rules refuse mistakes only."""
    assert parsed("dev", changed(DEV, path, value)).env == "dev"


def test_a_fraction_of_a_cpu_is_accepted_with_what_it_demands() -> None:
    """Below one vCPU: one request at a time, billed by request."""
    values = changed(changed(DEV, "services.gateway.cpu", 0.5), "services.gateway.concurrency", 1)
    assert (
        parsed("dev", changed(values, "services.gateway.billing", "request")).services["gateway"].cpu == 0.5
    )
