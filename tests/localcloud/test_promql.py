"""Alert policies by PromQL: what is refused, and that the others are held and listed by either engine and never fire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pulumi
import pytest
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from localcloud.alerts import AlertPolicies, InvalidPolicy
from localcloud.effects import RunningCloud
from localcloud.embedded import Embedded
from localcloud.identity import Identity
from localcloud.logs.store import LogStore
from localcloud.provider import Provider
from localcloud.resources import Refused, Resources
from tests.localcloud.recording_cloud import HOME, loop_in_thread

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_gcp")

QUERY = "(sum(increase(cloudtrace_googleapis_com:billing_spans_ingested[15m])) or vector(0)) == 0"
PROMQL = {
    "query": QUERY,
    "duration": "600s",
    "evaluationInterval": "60s",
    "disableMetricValidation": True,
}
THRESHOLD = {"conditionThreshold": {"filter": 'metric.type="x"'}}
LOG_MATCH = {"conditionMatchedLog": {"filter": "severity>=ERROR"}}


def by_promql(**changes: Any) -> dict[str, Any]:
    """A condition."""
    return {"displayName": "no spans", "conditionPrometheusQueryLanguage": PROMQL | changes}


def policy(*conditions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Pulumi's inputs."""
    return {
        "displayName": "No spans",
        "combiner": "OR",
        "conditions": list(conditions),
        "alertStrategy": {"autoClose": "1800s"},
    } | changes


def test_it_is_listed_as_it_was_put_and_never_fires() -> None:
    """There are no time series: whatever is logged, nobody is told, and nothing is invented in the list."""
    logs = LogStore("p")
    policies = AlertPolicies(logs, "p")
    name = policies.put("spans", policy(by_promql()))
    logs.write({"severity": "ERROR", "textPayload": QUERY})
    assert policies.policies() == [policy(by_promql()) | {"name": name}]
    assert not policies.alerts
    policies.delete("spans")
    assert policies.policies() == []


@pytest.mark.parametrize("condition", [by_promql(duration=None), by_promql(duration="0s"), by_promql(evaluationInterval=None)])  # fmt: skip
def test_what_google_fills_in_may_be_left_out(condition: dict[str, Any]) -> None:
    """A zero duration and an absent interval are the API's own defaults."""
    AlertPolicies(LogStore("p"), "p").put("spans", policy(condition))


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (policy(by_promql(), displayName=""), "displayName"),
        (policy(by_promql(query="")), "'No spans': the query is empty"),
        (policy(by_promql(query=" \n")), "'No spans': the query is empty"),
        (policy(by_promql(duration="soon")), "duration has value 'soon', which is not a duration"),
        (policy(by_promql(duration="-60s")), "duration has value '-60s', but must be at least 0s"),
        (policy(by_promql(evaluationInterval="45s")), "evaluationInterval has value '45s'.* a multiple of 30s"),
        (policy(by_promql(evaluationInterval="0s")), "evaluationInterval has value '0s', but must be at least 30s"),
        (policy(by_promql(), LOG_MATCH), "has 2 conditions, 1 of them conditionMatchedLog"),
        (policy(by_promql(), THRESHOLD), "on metrics it takes conditionPrometheusQueryLanguage alone"),
        (policy(THRESHOLD), "0 of them conditionMatchedLog"),
        (policy({"conditionAbsent": {}}), "0 of them conditionMatchedLog"),
        (policy({"conditionMonitoringQueryLanguage": {"query": "x"}}), "0 of them conditionMatchedLog"),
        (policy({"conditionSql": {"query": "x"}}), "0 of them conditionMatchedLog"),
    ],
)  # fmt: skip
def test_what_google_refuses_and_other_metric_conditions_are_refused(
    inputs: dict[str, Any], words: str
) -> None:
    """Ignoring one would promise an alert that nobody evaluates; nothing of it is kept."""
    policies = AlertPolicies(LogStore("p"), "p")
    with pytest.raises(InvalidPolicy, match=words):
        policies.put("bad", inputs)
    assert not policies.policies()


class Cloud:
    """A cloud of which only the alert policies are real."""

    def __init__(self, directory: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.directory, self.loop = directory, loop
        self.alerts = AlertPolicies(LogStore(HOME.project), HOME.project)
        effects = RunningCloud(
            HOME,
            run=None,  # type: ignore[arg-type]  # no service is deployed
            objects=None,  # type: ignore[arg-type]  # and no bucket
            identity=Identity(HOME.project),
            alerts=self.alerts,
        )
        self.resources = Resources(directory / "state", effects, HOME)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with loop_in_thread() as loop:
        yield Cloud(tmp_path, loop)


def embedded(cloud: Cloud, query: str) -> None:
    """Deploys by the engine that needs no Pulumi CLI."""
    program = cloud.directory / "program" / "__main__.py"
    program.parent.mkdir(exist_ok=True)
    program.write_text(
        "import pulumi_gcp as gcp\n"
        f"condition = {{'query': {query!r}, 'duration': '600s', 'evaluation_interval': '60s',"
        " 'disable_metric_validation': True}\n"
        "gcp.monitoring.AlertPolicy('spans', display_name='No spans', combiner='OR', alert_strategy={'auto_close': '1800s'},\n"
        "    conditions=[{'display_name': 'no spans', 'condition_prometheus_query_language': condition}])\n"
    )
    Embedded(cloud.resources, cloud.loop, program, project="demo").up({"gcp:project": HOME.project})


def provider(cloud: Cloud, query: str) -> None:
    """Deploys as Pulumi's engine calls the provider."""
    urn = "urn:pulumi:local::demo::gcp:monitoring/alertPolicy:AlertPolicy::spans"
    inputs = json_format.ParseDict(policy(by_promql(query=query)), struct_pb2.Struct())
    server = Provider(cloud.resources, cloud.loop)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{server.start()}") as channel:
            rpc = provider_pb2_grpc.ResourceProviderStub(channel)
            checked = rpc.Check(provider_pb2.CheckRequest(urn=urn, news=inputs))
            assert list(checked.failures) == []
            rpc.Create(provider_pb2.CreateRequest(urn=urn, properties=checked.inputs))
    finally:
        server.stop()


Engine = Callable[[Cloud, str], None]
ENGINES = pytest.mark.parametrize("deploy", [embedded, provider], ids=["embedded", "provider"])


@ENGINES
def test_either_engine_deploys_it(cloud: Cloud, deploy: Engine) -> None:
    """The same policy under the same name, in the shape of the API."""
    deploy(cloud, QUERY)
    (listed,) = cloud.alerts.policies()
    assert listed["name"].startswith(f"projects/{HOME.project}/alertPolicies/")
    assert listed["conditions"] == [by_promql()]
    (held,) = cloud.resources.all()
    assert held.outputs["name"] == listed["name"]


@ENGINES
def test_either_engine_tells_the_operator_what_is_wrong(cloud: Cloud, deploy: Engine) -> None:
    """The sentence arrives, and the books hold nothing."""
    with pytest.raises(
        (Refused, pulumi.RunError, grpc.RpcError), match=r"alert policy 'spans': .*the query is empty"
    ):
        deploy(cloud, " ")
    assert cloud.resources.all() == []
