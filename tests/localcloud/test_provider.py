"""The gRPC interface, called as the engine calls it; tests/ops/test_engines.py has the real engine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from localcloud.kinds import UNKNOWN
from localcloud.provider import Provider
from localcloud.resources import Resources
from tests.localcloud.recording_cloud import HOME, RecordingCloud, loop_in_thread

BUCKET = "urn:pulumi:local::demo::demo:index:Step$gcp:storage/bucket:Bucket::docs"
SERVICE = "urn:pulumi:local::demo::gcp:cloudrunv2/service:Service::gw::2"
DOCS = {"name": "docs", "location": "us-central1"}


class Engine:
    """The engine's end of the wire."""

    def __init__(
        self, cloud: RecordingCloud, resources: Resources, provider: Provider, channel: grpc.Channel
    ) -> None:
        self.cloud, self.resources, self.provider = cloud, resources, provider
        self.rpc = provider_pb2_grpc.ResourceProviderStub(channel)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    cloud = RecordingCloud()
    with loop_in_thread() as loop:
        resources = Resources(tmp_path, cloud, HOME)
        provider = Provider(resources, loop)
        with grpc.insecure_channel(f"127.0.0.1:{provider.start()}") as channel:
            yield Engine(cloud, resources, provider, channel)
            provider.stop()


def struct(properties: dict[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(properties, struct_pb2.Struct())


def create(engine: Engine, urn: str, inputs: dict[str, Any], preview: bool = False) -> Any:
    return engine.rpc.Create(provider_pb2.CreateRequest(urn=urn, properties=struct(inputs), preview=preview))


def test_a_created_resource_has_its_logical_name_and_plain_numbers(engine: Engine) -> None:
    """The type and the name are in the URN, below the parents' types; the name may hold `::`."""
    rules = [{"condition": {"age": 3}}]
    assert create(engine, BUCKET, {**DOCS, "lifecycleRules": rules}).id == "docs"
    create(engine, SERVICE, {"name": "gw", "location": "us-central1", "template": {}})
    bucket, service = engine.resources.all()
    assert (bucket.type, bucket.name) == ("gcp:storage/bucket:Bucket", "docs")
    assert repr(bucket.inputs["lifecycleRules"]) == repr(rules)
    assert service.name == "gw::2"


def test_a_preview_answers_unknowns_and_touches_nothing(engine: Engine) -> None:
    made = create(
        engine, SERVICE, {"name": "gw", "location": "us-central1", "template": {"a": UNKNOWN}}, preview=True
    )
    assert (made.id, made.properties["uri"], made.properties["name"]) == ("", UNKNOWN, "gw")
    assert (engine.cloud.log, engine.resources.all()) == ([], [])


def test_a_preview_of_an_update_keeps_what_stays_as_it_is(engine: Engine) -> None:
    """The URI of a service outlives its revisions, so that its callers are not previewed as changed."""
    inputs = {"name": "gw", "location": "us-central1", "template": {}}
    made = create(engine, SERVICE, inputs)
    request = provider_pb2.UpdateRequest(
        urn=SERVICE,
        id=made.id,
        olds=made.properties,
        news=struct({**inputs, "template": {"timeout": "9s"}}),
        preview=True,
    )
    updated = engine.rpc.Update(request)
    assert updated.properties["uri"] == "http://127.0.0.1:8081"
    assert updated.properties["latestReadyRevision"] == UNKNOWN
    assert len(engine.cloud.log) == 1


@pytest.mark.parametrize(
    ("news", "ignored", "changes", "replaces"),
    [
        (DOCS, [], provider_pb2.DiffResponse.DIFF_NONE, []),
        ({**DOCS, "labels": {"a": "b"}}, [], provider_pb2.DiffResponse.DIFF_SOME, []),
        ({**DOCS, "location": "europe-west1"}, [], provider_pb2.DiffResponse.DIFF_SOME, ["location"]),
        ({**DOCS, "location": "europe-west1"}, ["location"], provider_pb2.DiffResponse.DIFF_NONE, []),
    ],
)
def test_a_replacement_of_what_the_program_named_deletes_first(
    engine: Engine, news: dict[str, Any], ignored: list[str], changes: int, replaces: list[str]
) -> None:
    """As the bridge answers for an autonamed input that is given; test_resources.py has those that it does not."""
    request = provider_pb2.DiffRequest(
        urn=BUCKET, old_inputs=struct(DOCS), news=struct(news), ignoreChanges=ignored
    )
    diff = engine.rpc.Diff(request)
    assert (diff.changes, list(diff.replaces), diff.deleteBeforeReplace) == (
        changes,
        replaces,
        bool(replaces),
    )


def test_a_refused_check_is_a_failure_of_that_resource(engine: Engine) -> None:
    answer = engine.rpc.Check(provider_pb2.CheckRequest(urn=BUCKET, news=struct({"location": "us-central1"})))
    assert "`name` is missing" in answer.failures[0].reason
    assert engine.rpc.Check(provider_pb2.CheckRequest(urn=BUCKET, news=struct(DOCS))).inputs["name"] == "docs"


def test_a_refusal_reaches_the_engine_as_it_was_said(engine: Engine) -> None:
    engine.cloud.refuse["Bucket docs"] = "409: no"
    with pytest.raises(grpc.RpcError) as refused:
        create(engine, BUCKET, DOCS)
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "409: no")


def test_a_read_answers_what_is_there_and_nothing_for_what_is_gone(engine: Engine) -> None:
    request = provider_pb2.ReadRequest(urn=BUCKET, id="docs")
    assert engine.rpc.Read(request).id == ""
    create(engine, BUCKET, DOCS)
    found = engine.rpc.Read(request)
    assert (found.id, found.properties["url"], json_format.MessageToDict(found.inputs)) == (
        "docs",
        "gs://docs",
        DOCS,
    )


def test_an_update_of_what_the_cloud_lost_creates_it(engine: Engine) -> None:
    engine.rpc.Update(provider_pb2.UpdateRequest(urn=BUCKET, id="docs", news=struct(DOCS)))
    assert [resource.name for resource in engine.resources.all()] == ["docs"]


def test_a_function_call_is_refused_by_name(engine: Engine) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        engine.rpc.Invoke(provider_pb2.InvokeRequest(tok="gcp:organizations/getProject:getProject"))
    assert "gcp:organizations/getProject:getProject is a provider function" in (refused.value.details() or "")


@pytest.mark.parametrize("end", ["cancel", "stop"])
def test_cancelling_or_stopping_ends_what_is_under_way(engine: Engine, end: str) -> None:
    """A deployment that waits for a container must not outlive the Ctrl-C."""
    engine.cloud.hold = asyncio.Event()
    told: list[grpc.StatusCode] = []

    def work() -> None:
        with pytest.raises(grpc.RpcError) as ended:
            create(engine, BUCKET, DOCS)
        told.append(ended.value.code())

    thread = threading.Thread(target=work)
    thread.start()
    assert engine.cloud.busy.wait(30)
    if end == "cancel":
        engine.rpc.Cancel(empty_pb2.Empty())
    else:
        engine.provider.stop()
    thread.join(30)
    assert told in ([grpc.StatusCode.CANCELLED], [grpc.StatusCode.UNAVAILABLE])
    assert engine.resources.all() == []


def test_another_project_fails_the_check_of_the_providers_config(engine: Engine) -> None:
    """Not its Configure: what was configured once stays in the stack's state, even for a destroy."""
    ask = lambda project: engine.rpc.CheckConfig(provider_pb2.CheckRequest(news=struct({"project": project})))  # noqa: E731
    assert "gcp:project has value 'other'" in ask("other").failures[0].reason
    assert list(ask("local-project").failures) == []


def test_the_engine_asks_for_previews_and_hands_secrets_over_in_plain(engine: Engine) -> None:
    """Without supportsPreview a program's preview would know nothing, not even the names it gave itself."""
    configured = engine.rpc.Configure(provider_pb2.ConfigureRequest())
    assert (configured.supportsPreview, configured.acceptSecrets) == (True, False)
