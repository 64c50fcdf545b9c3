"""Both engines deploy the same program through the same seam, with the same results and the same refusals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from localcloud.provider import Provider
from localcloud.resources import Resources
from ops.engines import EmbeddedEngine, Engine, PulumiEngine, find_pulumi
from ops.errors import OperatorError
from ops.project import Project
from tests.localcloud.recording_cloud import CONFIG, HOME, PROGRAM, RecordingCloud, loop_in_thread

ROOT = Path(__file__).resolve().parents[2]
CLI = find_pulumi(ROOT)
needs_cli = [
    pytest.mark.engine,
    pytest.mark.skipif(CLI is None, reason="no Pulumi CLI here: `make engine` builds one"),
]

# The generated SDK warns about its own deprecated functions as it is imported.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_gcp")


class Local:
    """A program, a recording cloud, and the engines that bring them together."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self.program = directory / "program" / "__main__.py"
        self.program.parent.mkdir()
        self.program.write_text(PROGRAM)
        (self.program.parent / "settings.py").write_text(
            "import pulumi\nLOCATION = pulumi.Config().require('location')\n"
        )
        (directory / "Pulumi.yaml").write_text("name: demo\nruntime: python\nmain: program\n")
        self.project = Project.read(directory)
        self.loop = stack.enter_context(loop_in_thread())
        self.cloud = RecordingCloud()
        self.resources = Resources(directory / "state", self.cloud, HOME)
        self.steps: list[str] = []
        self._stack = stack

    def engine(self, name: str) -> Engine:
        def progress(operation: str, type: str, name: str) -> None:
            self.steps.append(f"{operation} {type.rsplit(':', 1)[-1]} {name}")

        if name == "embedded":
            return EmbeddedEngine(self.project, self.resources, self.loop, progress=progress)
        assert CLI is not None
        provider = Provider(self.resources, self.loop)
        port = provider.start()
        self._stack.callback(provider.stop)
        return PulumiEngine(self.project, CLI, port, self.directory / "pulumi", progress=progress)


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    with ExitStack() as stack:
        yield Local(tmp_path, stack)


@pytest.fixture(params=["embedded", pytest.param("pulumi", marks=needs_cli)])
def engine(request: pytest.FixtureRequest, local: Local) -> Engine:
    return local.engine(request.param)


def config(**changes: Any) -> dict[str, Any]:
    return {**CONFIG, **{f"demo:{key}": value for key, value in changes.items()}}


def test_a_stack_is_previewed_created_left_alone_changed_replaced_and_destroyed(
    engine: Engine, local: Local
) -> None:
    """The life of a stack: each step does what it says and nothing else."""
    assert engine.preview(CONFIG) == {"create": 5}
    assert local.cloud.log == [], "a preview touches nothing"

    outputs = engine.up(CONFIG)
    email = "gateway-local@local-project.iam.gserviceaccount.com"
    assert outputs == {
        "documents": "http://127.0.0.1:8081/documents",
        "nested": {"buckets": ["gs://docs-local"], "account": email},
    }
    (service,) = (r for r in local.cloud.held.values() if r.name == "gateway" and "template" in r.inputs)
    container = service.inputs["template"]["containers"][0]
    assert service.inputs["template"]["serviceAccount"] == email
    assert container["envs"] == [
        {"name": "KEY", "value": "s3cret"},
        {"name": "BUCKET", "value": "docs-local"},
    ]
    assert repr(container["ports"]["containerPort"]) == "8080", "whole numbers arrive as such"

    deployed = config(deployed="yes")
    local.cloud.log.clear()
    assert engine.preview(deployed) == {"same": 5}
    assert engine.up(deployed) == outputs
    assert local.cloud.log == [], "no change, no work"

    larger = config(deployed="yes", services={"gateway": {"memory": "1Gi"}})
    assert engine.preview(larger) == {"same": 4, "update": 1}
    local.steps.clear()
    engine.up(larger)
    assert local.cloud.log == ["put Service gateway"]
    assert local.steps == ["update Service gateway"]

    local.cloud.log.clear()
    engine.up(config(location="europe-west1", services={"gateway": {"memory": "1Gi"}}))
    buckets = [line for line in local.cloud.log if " Bucket " in line]
    assert buckets == ["drop Bucket gateway", "put Bucket gateway"], (
        "the name is fixed: delete first, then create"
    )
    assert not [line for line in local.cloud.log if " Service " in line]
    assert local.cloud.held["docs-local"].inputs["location"] == "europe-west1"

    engine.destroy(CONFIG)
    assert local.cloud.held == {}
    assert local.resources.all() == []


def test_what_the_program_no_longer_declares_is_deleted(engine: Engine, local: Local) -> None:
    engine.up(CONFIG)
    engine.up(config(private="yes"))
    assert local.cloud.log[-1] == "drop ServiceIamMember public"
    assert len(local.resources.all()) == 4


def test_a_refused_deployment_keeps_what_was_and_is_told_in_one_sentence(
    engine: Engine, local: Local
) -> None:
    """A create leaves no state, an update the old one, a replacement the old resource; then the next up succeeds."""
    local.cloud.refuse = {"Service gateway": "Revision gateway-00001 did not start: it listens on no port"}
    with pytest.raises(OperatorError) as refused:
        engine.up(CONFIG)
    assert str(refused.value) == "Revision gateway-00001 did not start: it listens on no port"
    assert "Service" not in {r.type.rsplit(":", 1)[-1] for r in local.resources.all()}

    local.cloud.refuse = {}
    engine.up(CONFIG)
    before = local.resources.all()
    local.cloud.refuse = {"Service gateway": "Revision gateway-00002 did not start: it ended with status 1"}
    with pytest.raises(
        OperatorError, match=r"^Revision gateway-00002 did not start: it ended with status 1$"
    ):
        engine.up(config(services={"gateway": {"memory": "1Gi"}}))
    assert local.resources.all() == before

    local.cloud.refuse = {
        "Bucket gateway": "409: The bucket docs-local is not empty; empty it or set forceDestroy"
    }
    with pytest.raises(
        OperatorError, match=r"^409: The bucket docs-local is not empty; empty it or set forceDestroy$"
    ):
        engine.up(config(location="europe-west1"))
    assert local.cloud.held["docs-local"].inputs["location"] == "us-central1"

    local.cloud.refuse = {}
    engine.up(config(location="europe-west1"))
    assert local.cloud.held["docs-local"].inputs["location"] == "europe-west1"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"topic": "yes"},
            "gcp:pubsub/topic:Topic is not a resource type that localcloud stands in for; it knows gcp:",
        ),
        ({"function": "yes"}, "gcp:organizations/getProject:getProject is a provider function"),
        ({"mistake": "yes"}, "services has value [], which has no gateway; add one"),
    ],
)
def test_a_programs_mistake_is_told_without_a_traceback(
    engine: Engine, changes: dict[str, str], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(OperatorError) as told:
        engine.up(config(**changes))
    assert said in str(told.value)
    assert "\n" not in str(told.value)
    assert [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


def test_another_project_is_refused_and_does_no_lasting_harm(engine: Engine, local: Local) -> None:
    with pytest.raises(
        OperatorError, match="gcp:project has value 'other'; this local cloud holds only 'local-project'"
    ):
        engine.up({**CONFIG, "gcp:project": "other"})
    engine.up(CONFIG)
    engine.destroy(CONFIG)
    assert local.resources.all() == []


def test_a_protected_service_is_not_destroyed(engine: Engine, local: Local) -> None:
    """deletionProtection, which is on unless set to false, fails a destroy here as it does on Google."""
    engine.up(config(protect="yes"))
    with pytest.raises(OperatorError, match="is protected: set deletionProtection to false"):
        engine.destroy(config(protect="yes"))
    assert any("services/gateway-local" in id for id in local.cloud.held)


@pytest.mark.parametrize("path", [["embedded", "pulumi", "embedded"]])
@needs_cli[0]
@needs_cli[1]
def test_one_engine_takes_over_from_the_other(local: Local, path: list[str]) -> None:
    """After `make engine`, what the embedded engine deployed is adopted, not refused as existing already."""
    outputs = [local.engine(name).up(CONFIG) for name in path]
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(local.resources.all()) == len(local.cloud.held) == 5
    assert not [line for line in local.cloud.log if line.startswith("drop")]


@needs_cli[0]
@needs_cli[1]
def test_resources_that_the_cloud_lost_are_created_again(local: Local) -> None:
    """Someone deleted the cloud's state, not the engine's: the state is compared with the cloud before each up."""
    engine = local.engine("pulumi")
    engine.up(CONFIG)
    for resource in reversed(local.resources.all()):
        asyncio.run_coroutine_threadsafe(
            local.resources.delete(resource.type, resource.id), local.loop
        ).result()
    assert engine.preview(CONFIG) == {"create": 5}
    engine.up(CONFIG)
    assert len(local.cloud.held) == 5


@needs_cli[0]
@needs_cli[1]
def test_a_run_after_a_killed_one_goes_on_where_that_stood(local: Local) -> None:
    """A killed engine leaves its lock and operations without an end; a living one's lock is respected."""
    engine = local.engine("pulumi")
    local.cloud.hold = asyncio.Event()
    killed = threading.Thread(target=_fails, args=(lambda: engine.up(CONFIG),))
    killed.start()
    assert local.cloud.busy.wait(30)
    (lock,) = (local.directory / "pulumi" / "backend" / ".pulumi" / "locks").rglob("*.json")
    pid = json.loads(lock.read_text())["pid"]
    with pytest.raises(OperatorError, match=f"Process {pid} is deploying this stack"):
        local.engine("pulumi").up(CONFIG)
    os.kill(pid, signal.SIGKILL)
    killed.join()
    local.loop.call_soon_threadsafe(local.cloud.hold.set)
    local.cloud.hold = None

    engine.up(CONFIG)
    assert len(local.cloud.held) == len(local.resources.all()) == 5
    assert engine.preview(config(deployed="yes")) == {"same": 5}
    (checkpoint,) = (local.directory / "pulumi" / "backend" / ".pulumi" / "stacks").rglob("local.json")
    latest = json.loads(checkpoint.read_text())["checkpoint"]["latest"]
    assert latest.get("pending_operations", []) == [], "else every later deployment would warn of them"


def _fails(work: Callable[[], object]) -> None:
    with pytest.raises(OperatorError):
        work()


def test_the_cli_that_make_engine_built_comes_before_the_one_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path, built = tmp_path / "bin" / "pulumi", tmp_path / ".tools" / "bin" / "pulumi"
    for cli in (on_path, built):
        cli.parent.mkdir(parents=True)
        cli.write_text("#!/bin/sh\n")
        cli.chmod(0o755)
    monkeypatch.setenv("PATH", str(on_path.parent))
    assert find_pulumi(tmp_path) == built
    built.unlink()
    assert find_pulumi(tmp_path) == on_path
    on_path.unlink()
    assert find_pulumi(tmp_path) is None


@pytest.mark.parametrize("text", ["", "name: demo\nmain: nowhere\n", "main: .\n", "name: [\n"])
def test_a_project_file_that_names_no_program_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(text)
    with pytest.raises(OperatorError, match=r"Pulumi\.yaml .*; mend "):
        Project.read(tmp_path)
