"""The blueprint's own program on a local cloud: its whole life under both engines, and what a missing role looks like."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from chain import eventually

from ops import stackfile
from ops.engines import find_pulumi
from ops.environment import Environment
from ops.errors import OperatorError
from ops.options import EngineChoice
from ops.story import FAR

ROOT = Path(__file__).parents[2]
# Nothing here is about the time that a first request takes on a busy machine.
CONFIG = stackfile.changed(
    stackfile.load(ROOT, "local"), "services", "gateway", "env", "REQUEST_BUDGET_MS", value="60000"
)
pytestmark = pytest.mark.xdist_group("cloud")

ENGINES = [
    pytest.param(
        EngineChoice.pulumi,
        marks=[
            pytest.mark.engine,
            pytest.mark.skipif(find_pulumi(ROOT) is None, reason="no Pulumi CLI: run `make engine`"),
        ],
    ),
    EngineChoice.embedded,
]


@pytest.fixture(params=ENGINES)
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Environment]:
    with Environment(ROOT, tmp_path / "state", CONFIG, engine=request.param) as environment:
        yield environment


def types(environment: Environment) -> list[str]:
    return [resource.type.rpartition(":")[2] for resource in environment.resources.all()]


def test_the_programs_whole_life(environment: Environment) -> None:
    """Preview, up, an empty second preview, a change, a bucket replaced, a refusal that changes nothing, destroy to nothing."""
    planned = environment.engine.preview(CONFIG)
    assert set(planned) == {"create"}
    deployed = environment.up(CONFIG)
    assert len(types(environment)) == planned["create"]
    assert requests.get(deployed.urls["gateway"] + "/healthz", timeout=30).status_code == 200
    assert environment.engine.preview(CONFIG) == {"same": planned["create"]}

    changed = stackfile.changed(CONFIG, "services", "extract", "timeout", value=120)
    assert environment.engine.preview(changed) == {"same": planned["create"] - 1, "update": 1}
    environment.up(changed)

    far = stackfile.changed(changed, "buckets", "documents", value=FAR)
    assert environment.engine.preview(far)["replace"] >= 1
    environment.up(far)
    held = next(r for r in environment.resources.all() if r.type.endswith(":Bucket"))
    assert held.inputs["location"] == "AUSTRALIA-SOUTHEAST1"

    before = environment.resources.all()
    wrong = stackfile.changed(far, "services", "archive", "buckets", value=["nowhere"])
    with pytest.raises(OperatorError, match="nowhere"):
        environment.up(wrong)
    assert environment.resources.all() == before

    environment.engine.destroy(far)
    assert types(environment) == []
    with pytest.raises(requests.ConnectionError):
        requests.get(deployed.urls["gateway"] + "/healthz", timeout=30)


def test_spans_without_the_role_are_refused_logged_and_alerted(tmp_path: Path) -> None:
    """Least privilege is real: without roles/cloudtrace.agent a service's spans are refused; it says so; somebody is told."""
    with Environment(ROOT, tmp_path / "state", CONFIG, engine=EngineChoice.embedded) as environment:
        deployed = environment.up(CONFIG)
        environment.identity.unbind(
            "projects/blueprint-local",
            "roles/cloudtrace.agent",
            "serviceAccount:extract-local@blueprint-local.iam.gserviceaccount.com",
        )
        answer = requests.post(deployed.urls["gateway"] + "/documents?name=a.txt", data=b"x", timeout=60)
        assert answer.status_code == 201
        google = environment.google
        entries = eventually(lambda: [*google.entries('jsonPayload.event="trace_export_refused"')])
        assert {e["resource"]["labels"]["service_name"] for e in entries} == {"extract-local"}
        assert entries[0]["severity"] == "ERROR"
        alerts = [*google.alerts()]
        assert {alert["policy"]["displayName"] for alert in alerts} == {
            "Trace export refused or failed · local"
        }
        told = [alert["log"]["extractedLabels"] for alert in alerts]
        assert {"service": "extract-local", "event": "trace_export_refused"} in told
        assert {labels["service"] for labels in told} == {"extract-local"}


@pytest.mark.parametrize("header", ["traceparent", "X-Cloud-Trace-Context"])
def test_a_caller_keeps_its_trace(tmp_path: Path, header: str) -> None:
    """Either header alone carries the caller's trace id through all three services, and no span is left an orphan."""
    trace_id, span_id = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"
    values = {
        "traceparent": f"00-{trace_id}-{span_id}-01",
        "X-Cloud-Trace-Context": f"{trace_id}/{int(span_id, 16)};o=1",
    }
    with Environment(ROOT, tmp_path / "state", CONFIG, engine=EngineChoice.embedded) as environment:
        url = environment.up(CONFIG).urls["gateway"] + "/documents?name=a.txt"
        answer = requests.post(url, data=b"x", headers={header: values[header]}, timeout=60)
        assert answer.json()["trace_id"] == trace_id
        url_of_trace = f"{environment.url}/v1/projects/blueprint-local/traces/{trace_id}"

        def services() -> set[str]:
            spans = requests.get(url_of_trace, timeout=30).json().get("spans", [])
            return {span["labels"].get("service.name", "") for span in spans}

        assert eventually(lambda: {"gateway", "extract", "archive"} <= services())
