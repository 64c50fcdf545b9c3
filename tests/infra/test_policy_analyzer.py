"""The policy pack as Pulumi's engine meets it: a process of its own environment that answers over gRPC.

Needs `.tools/policy` (docs/policy.md says how to make it); CI makes it before the tests.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from policy_stack import GOOD, MARK, PULL, RATIO, REMOVED, declared, stack
from pulumi.runtime.proto import analyzer_pb2 as messages
from pulumi.runtime.proto import analyzer_pb2_grpc
from pulumi.runtime.rpc import UNKNOWN as UNKNOWN_ON_THE_WIRE
from recorded import record
from stack_files import ROOT, filled_in

from infra.policy.declared import Declared
from infra.policy.rules import RULES

PYTHON = ROOT / ".tools" / "policy" / "bin" / "python"
pytestmark = [
    pytest.mark.xdist_group("policy"),
    pytest.mark.skipif(
        not PYTHON.exists(), reason="no environment for the policy pack: docs/policy.md, Run it"
    ),
]
C = "template.containers.0"


@pytest.fixture(scope="module")
def analyzer() -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    """The pack for stack `prod`, started as the engine does (pulumi, cmd/pulumi-analyzer-policy-python)."""
    settings = {"PULUMI_PROJECT": "blueprint", "PULUMI_STACK": "prod", "PULUMI_DRY_RUN": "true"}
    process = subprocess.Popen(
        [PYTHON, "-u", "-m", "pulumi.policy", "127.0.0.1:1", "."],
        cwd=ROOT / "infra" / "policy",
        env={key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ} | settings,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        port = process.stdout.readline().strip()
        assert port.isdigit(), "the pack ended before it served"
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield analyzer_pb2_grpc.AnalyzerStub(channel)
    finally:
        process.terminate()
        process.communicate(timeout=10)


def _fields(resource: Declared) -> dict[str, Any]:
    properties = struct_pb2.Struct()
    properties.update(dict(resource.properties))
    urn = f"urn:pulumi:prod::blueprint::{resource.type}::{resource.name}"
    return {"type": resource.type, "urn": urn, "name": resource.name, "properties": properties}


def _ask(analyzer: analyzer_pb2_grpc.AnalyzerStub, resources: list[Declared]) -> list[Any]:
    """The engine's calls: one for each resource, and one for all at the end."""
    found: list[Any] = []
    for resource in resources:
        request = messages.AnalyzeRequest(**_fields(resource))
        found += analyzer.Analyze(request, timeout=20, wait_for_ready=True).diagnostics
    everything = [messages.AnalyzerResource(**_fields(resource)) for resource in resources]
    request = messages.AnalyzeStackRequest(resources=everything)
    return found + list(analyzer.AnalyzeStack(request, timeout=20, wait_for_ready=True).diagnostics)


def test_the_pack_offers_every_rule_once(analyzer: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """Name, sentence, level and kind reach the engine as they stand in the rules."""
    info = analyzer.GetAnalyzerInfo(empty_pb2.Empty(), timeout=20, wait_for_ready=True)
    levels = {"advisory": messages.ADVISORY, "mandatory": messages.MANDATORY}
    kinds = {False: messages.POLICY_TYPE_RESOURCE, True: messages.POLICY_TYPE_STACK}
    assert info.name == "blueprint"
    assert [
        (each.name, each.description, each.enforcementLevel, each.policy_type) for each in info.policies
    ] == [(rule.name, rule.description, levels[rule.level], kinds[bool(rule.whole)]) for rule in RULES]


def test_a_sound_stack_is_left_alone(analyzer: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """No diagnostic at all, not even advice."""
    assert list(_ask(analyzer, list(GOOD.values()))) == []


def test_what_the_program_declares_is_left_alone(analyzer: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """Over the wire as well: numbers arrive as floating point, maps as structures."""
    assert list(_ask(analyzer, declared(record("prod", filled_in("prod"))))) == []


@pytest.mark.parametrize(
    ("where", "value", "rule", "level", "says"),
    [
        (
            f"gateway.{C}.image",
            "x/app:1",
            "image-digest",
            messages.MANDATORY,
            'image is "x/app:1", but must be',
        ),
        (f"gateway.{RATIO}", "1", "sampling-ratio", messages.MANDATORY, "at most 0.1"),
        ("bucket.location", "US", "bucket-location", messages.MANDATORY, "europe-west1"),
        ("alert.notificationChannels", [], "alert-channel", messages.ADVISORY, "at least one channel"),
        (f"gateway.{C}.livenessProbe", REMOVED, "probes", messages.MANDATORY, "livenessProbe is missing"),
    ],
)
def test_a_violation_reaches_the_engine(
    analyzer: analyzer_pb2_grpc.AnalyzerStub, where: str, value: Any, rule: str, level: int, says: str
) -> None:
    """With the rule's name, its level, its sentence, and the resource it is about."""
    (diagnostic,) = _ask(analyzer, stack(where, value))
    assert (diagnostic.policyName, diagnostic.enforcementLevel) == (rule, level)
    assert says in diagnostic.message
    assert diagnostic.urn.endswith(f"::{GOOD[where.split('.')[0]].name}")


def test_a_type_that_the_rules_cannot_judge_reaches_the_engine(
    analyzer: analyzer_pb2_grpc.AnalyzerStub,
) -> None:
    """Even with no properties to read."""
    key = Declared("gcp:serviceaccount/key:Key", "key", {})
    (diagnostic,) = _ask(analyzer, [*stack(), key])
    assert (diagnostic.policyName, diagnostic.enforcementLevel) == ("judged-types", messages.MANDATORY)


def test_who_becomes_the_deployer_is_judged_by_the_engine(analyzer: analyzer_pb2_grpc.AnalyzerStub) -> None:
    """A key with a dot in its name arrives as one."""
    mapping = {"attribute.purpose": "'deploy'"}
    resources = stack("provider.attributeMapping", mapping)
    provider = next(each for each in resources if each.type.endswith(":WorkloadIdentityPoolProvider"))
    provider.properties["attributeCondition"] = PULL  # type: ignore[index]
    said = _ask(analyzer, resources)
    assert {diagnostic.policyName for diagnostic in said} == {"provider-condition"}
    assert any("attributeMapping.purpose is \"'deploy'\"" in diagnostic.message for diagnostic in said)


@pytest.mark.parametrize(
    ("where", "rules"),
    [
        (
            "gateway.template.serviceAccount",
            {"own-account", "unshared-account", "acting-accounts", "custom-roles"},
        ),
        (f"gateway.{MARK}", {"public-services"}),
        (f"gateway.{C}.image", {"image-digest"}),
        ("objects.member", {"public-members", "grant-members"}),
        ("calls.member", {"public-services", "grant-members"}),
        (
            "opens.member",
            {"account-members", "federated-members", "preview-roles", "grant-members", "public-members"},
        ),
    ],
)
def test_what_a_preview_does_not_know_is_advice(
    analyzer: analyzer_pb2_grpc.AnalyzerStub, where: str, rules: set[str]
) -> None:
    """A first preview is not refused for it, and not silent about it either."""
    said = _ask(analyzer, stack(where, UNKNOWN_ON_THE_WIRE))
    assert {diagnostic.policyName for diagnostic in said} == rules
    assert {diagnostic.enforcementLevel for diagnostic in said} == {messages.ADVISORY}
    assert all("can't be known during preview" in diagnostic.message for diagnostic in said)
