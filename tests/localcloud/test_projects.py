"""The project as Google's APIs show it: enabled APIs, state, billing, permissions; and what a disabled API refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
import requests
from aiohttp import ClientSession, web
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # no types are published
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource as OtlpResource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from localcloud.cloud import Options
from localcloud.effects import RunningCloud
from localcloud.host import Host
from localcloud.identity import Identity
from localcloud.projects import Projects, project_routes
from localcloud.resources import Resource
from localcloud.trace.cloudtrace import CloudTraceDoor
from localcloud.trace.otlp import otlp_routes
from localcloud.trace.store import TraceStore
from tests.localcloud.recording_cloud import HOME

P, NUMBER = HOME.project, HOME.project_number
TELEMETRY, TRACE = "telemetry.googleapis.com", "cloudtrace.googleapis.com"
WRITER = "writer@local-project.iam.gserviceaccount.com"


@pytest.fixture
def identity() -> Identity:
    identity = Identity(P)
    identity.bind(f"projects/{P}", "roles/cloudtrace.agent", f"serviceAccount:{WRITER}")
    return identity


@pytest.fixture
def projects(identity: Identity) -> Projects:
    return Projects(P, NUMBER, identity)


@pytest.fixture
def effects(projects: Projects) -> RunningCloud:
    nothing = cast(Any, None)
    return RunningCloud(
        HOME, run=nothing, objects=nothing, identity=projects.identity, alerts=nothing, projects=projects
    )


@asynccontextmanager
async def serving(*routes: web.RouteDef) -> AsyncIterator[ClientSession]:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as client:
        yield client
    await runner.cleanup()


async def answer(projects: Projects, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    async with serving(*project_routes(projects)) as client:
        method = "GET" if body is None else "POST"
        async with client.request(method, path, json=body, headers=headers) as response:
            return response.status, await response.json()


def service(api: str, **inputs: Any) -> Resource:
    return Resource("gcp:projects/service:Service", api, f"{P}/{api}", {"service": api, **inputs}, {})


async def test_every_api_is_on_until_the_first_one_is_declared(
    projects: Projects, effects: RunningCloud
) -> None:
    """A cloud without a stack serves everything; with one, only what it declares and what doctor itself reads."""
    assert projects.enabled(TELEMETRY)
    await effects.put(service(TRACE))
    assert projects.enabled(TRACE)
    assert not projects.enabled(TELEMETRY)
    assert projects.enabled("serviceusage.googleapis.com")


@pytest.mark.parametrize(("inputs", "stays"), [({"disableOnDestroy": False}, True), ({}, True), ({"disableOnDestroy": True}, False)])  # fmt: skip
async def test_a_dropped_api_stays_on_unless_its_resource_says_otherwise(
    projects: Projects, effects: RunningCloud, inputs: dict[str, Any], stays: bool
) -> None:
    """As the provider leaves it: `disable_on_destroy` is false by default."""
    await effects.put(service(TRACE, **inputs))
    await effects.drop(service(TRACE, **inputs))
    assert projects.enabled(TRACE) is stays


async def test_deploying_an_api_again_enables_what_was_disabled_by_hand(
    projects: Projects, effects: RunningCloud
) -> None:
    projects.disable(TRACE)
    assert not projects.enabled(TRACE)
    await effects.put(service(TRACE))
    assert projects.enabled(TRACE)


async def test_services_are_listed_by_state_and_in_pages(projects: Projects) -> None:
    """services.list with the two filters that Google has, and a page token that continues."""
    projects.enable("run.googleapis.com")
    projects.enable(TRACE)
    status, first = await answer(projects, f"/v1/projects/{P}/services?filter=state:ENABLED&pageSize=2")
    assert (status, len(first["services"])) == (200, 2)
    query = f"filter=state:ENABLED&pageSize=200&pageToken={first['nextPageToken']}"
    _, rest = await answer(projects, f"/v1/projects/{P}/services?{query}")
    names = [each["config"]["name"] for each in (*first["services"], *rest["services"])]
    assert {"run.googleapis.com", TRACE} <= set(names)
    assert TELEMETRY not in names
    assert names == sorted(names)
    assert first["services"][0] == {
        "name": f"projects/{NUMBER}/services/cloudbilling.googleapis.com",
        "parent": f"projects/{NUMBER}",
        "config": {"name": "cloudbilling.googleapis.com", "title": "Cloud Billing API"},
        "state": "ENABLED",
    }
    _, off = await answer(projects, f"/v1/projects/{P}/services?filter=state:DISABLED")
    assert TELEMETRY in [each["config"]["name"] for each in off["services"]]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        (f"/v1/projects/{P}/services?filter=name:x", 400, "state:ENABLED or state:DISABLED"),
        (f"/v1/projects/{P}/services?pageToken=x", 400, "page token"),
        (f"/v1/projects/{P}/services:batchGet?names=projects/{P}/services/no.googleapis.com", 403, "no.googleapis.com"),
        (f"/v1/projects/{P}/services:batchGet?" + "&".join(["names=a"] * 31), 400, "at most 30"),
        ("/v3/projects/another", 403, "'resourcemanager.projects.get' denied on resource"),
        ("/v1/projects/another/services", 403, "or it may not exist"),
        ("/v1/projects/another/billingInfo", 403, "or it may not exist"),
    ],
)  # fmt: skip
async def test_what_google_refuses_is_refused(projects: Projects, path: str, status: int, words: str) -> None:
    got, body = await answer(projects, path)
    assert got == status
    assert words in body["error"]["message"]


async def test_a_batch_tells_the_state_of_each(projects: Projects) -> None:
    projects.disable(TRACE)
    names = "&".join(f"names=projects/{P}/services/{name}" for name in (TRACE, TELEMETRY))
    _, body = await answer(projects, f"/v1/projects/{P}/services:batchGet?{names}")
    assert [each["state"] for each in body["services"]] == ["DISABLED", "ENABLED"]


async def test_the_project_and_its_billing(projects: Projects) -> None:
    """By id and by number; a project nobody pays for has no `billingEnabled`, as proto3's JSON has no false."""
    _, body = await answer(projects, f"/v3/projects/{NUMBER}")
    assert (body["name"], body["projectId"], body["state"]) == (f"projects/{NUMBER}", P, "ACTIVE")
    _, body = await answer(projects, f"/v1/projects/{P}/billingInfo")
    assert body["billingEnabled"] is True
    projects.billing_account = ""
    _, body = await answer(projects, f"/v1/projects/{P}/billingInfo")
    assert body == {"name": f"projects/{P}/billingInfo", "projectId": P}


async def test_permissions_of_the_owner_and_of_an_account(projects: Projects, identity: Identity) -> None:
    """Without a token the caller owns the project, but for what is withheld; with one, its roles decide."""
    path = f"/v3/projects/{P}:testIamPermissions"
    asked = {"permissions": ["run.services.create", "telemetry.traces.write"]}
    assert await answer(projects, path, asked) == (200, asked)
    projects.withhold("run.services.create")
    assert await answer(projects, path, asked) == (200, {"permissions": ["telemetry.traces.write"]})
    bearer = f"Bearer {identity.access_token(WRITER, 'europe-west1')[0]}"
    held = await answer(projects, path, asked, Authorization=bearer)
    assert held == (200, {"permissions": ["telemetry.traces.write"]})
    assert await answer(projects, path, {"permissions": ["run.services.create"]}, Authorization=bearer) == (200, {})  # fmt: skip
    assert (await answer(projects, path, asked, Authorization="Bearer no"))[0] == 401
    assert (await answer(projects, path, {"permissions": ["run.*"]}))[0] == 400


@pytest.mark.parametrize(
    ("api", "path"),
    [
        ("serviceusage.googleapis.com", f"/v1/projects/{P}/services"),
        ("cloudbilling.googleapis.com", f"/v1/projects/{P}/billingInfo"),
        ("cloudresourcemanager.googleapis.com", f"/v3/projects/{P}"),
    ],
)
async def test_a_disabled_api_refuses_as_google_does(projects: Projects, api: str, path: str) -> None:
    """403 PERMISSION_DENIED with an ErrorInfo of reason SERVICE_DISABLED that names the API and the project."""
    projects.disable(api)
    status, body = await answer(projects, path)
    (info,) = body["error"]["details"]
    assert (status, body["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert f"has not been used in project {NUMBER} before or it is disabled" in body["error"]["message"]
    assert (info["@type"], info["reason"], info["domain"]) == (
        "type.googleapis.com/google.rpc.ErrorInfo",
        "SERVICE_DISABLED",
        "googleapis.com",
    )
    assert (info["metadata"]["service"], info["metadata"]["consumer"]) == (api, f"projects/{NUMBER}")


def one_span() -> bytes:
    span = Span(trace_id=b"\1" * 16, span_id=b"\2" * 8, name="work")
    about = [KeyValue(key="gcp.project_id", value=AnyValue(string_value=P))]
    group = ResourceSpans(resource=OtlpResource(attributes=about), scope_spans=[ScopeSpans(spans=[span])])
    return ExportTraceServiceRequest(resource_spans=[group]).SerializeToString()


@pytest.mark.parametrize(
    ("disabled", "status", "kept"),
    [((), 200, 1), ((TELEMETRY,), 403, 0), ((TRACE,), 200, 0), ((TELEMETRY, TRACE), 403, 0)],
)
async def test_spans_for_an_api_that_is_off_are_refused_or_discarded(
    projects: Projects, identity: Identity, disabled: tuple[str, ...], status: int, kept: int
) -> None:
    """The Telemetry API refuses while it is off; while Cloud Trace is off it takes spans, which are then nowhere."""
    for api in disabled:
        projects.disable(api)
    store, token = TraceStore(), identity.access_token(WRITER, "europe-west1")[0]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-protobuf"}
    async with (
        serving(*otlp_routes(store, identity, P, projects)) as client,
        client.post("/v1/traces", data=one_span(), headers=headers) as response,
    ):
        body = await response.read()
    assert (response.status, len(store.trace("01" * 16))) == (status, kept)
    if status == 403:
        told, info = status_pb2.Status.FromString(body), error_details_pb2.ErrorInfo()
        assert told.details[0].Unpack(info)
        assert (info.reason, info.metadata["service"]) == ("SERVICE_DISABLED", TELEMETRY)


@pytest.fixture
def door(projects: Projects, identity: Identity, tmp_path: Path) -> Iterator[CloudTraceDoor]:
    door = CloudTraceDoor(TraceStore(), identity, P, tmp_path, projects)
    door.start()
    yield door
    door.stop()


def test_cloud_trace_over_grpc_refuses_while_it_is_off(
    door: CloudTraceDoor, projects: Projects, identity: Identity
) -> None:
    """With the details in the trailer, where google-api-core reads them."""
    projects.disable(TRACE)
    credentials = grpc.ssl_channel_credentials(door.ca_file.read_bytes())
    token = identity.access_token(WRITER, "europe-west1")[0]
    with grpc.secure_channel(door.endpoint, credentials) as channel:
        write = channel.unary_unary("/google.devtools.cloudtrace.v2.TraceService/BatchWriteSpans")
        with pytest.raises(grpc.RpcError) as refused:
            write(b"", metadata=[("authorization", f"Bearer {token}")], timeout=10)
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
    trailer = {key: value for key, value in refused.value.trailing_metadata()}
    told, info = (
        status_pb2.Status.FromString(trailer["grpc-status-details-bin"]),
        error_details_pb2.ErrorInfo(),
    )
    assert told.details[0].Unpack(info)
    assert info.reason == "SERVICE_DISABLED"


def test_a_running_cloud_refuses_reads_of_what_is_off(tmp_path: Path) -> None:
    """What a test plants with `cloud.projects.disable` is what the readers of traces and logs are told."""
    with Host(Options(directory=tmp_path, project=P, region="europe-west1")) as host:
        projects, url = host.cloud.projects, host.cloud.url
        assert requests.get(f"{url}/v1/projects/{P}/traces", timeout=5).status_code == 200
        projects.disable(TRACE)
        projects.disable("logging.googleapis.com")
        body = {"resourceNames": [f"projects/{P}"]}
        for refused in (
            requests.get(f"{url}/v1/projects/{P}/traces", timeout=5),
            requests.post(f"{url}/v2/entries:list", json=body, timeout=5),
        ):
            assert refused.status_code == 403
            assert "SERVICE_DISABLED" in refused.text
