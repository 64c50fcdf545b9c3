"""The recipes of docs/state.md, tried with the real CLI on a file backend: import, rename, drift, and a deployment cut off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_engine import CLI, RealEngine, real_engine

from tests.infra.stack_files import filled_in

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(CLI is None, reason="no Pulumi CLI: run `make engine`"),
    pytest.mark.xdist_group("engine-state"),
]
BASE = filled_in("dev")
BUCKET, SERVICE = "gcp:storage/bucket:Bucket", "gcp:cloudrunv2/service:Service"
PLACE = "projects/acme-docs/locations/europe-southwest1"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[RealEngine]:
    with real_engine(tmp_path, "dev", "acme-docs", "europe-southwest1") as engine:
        yield engine


def test_what_exists_already_is_imported_and_not_created_anew(engine: RealEngine, tmp_path: Path) -> None:
    """`preview --import-file` lists what the program would create; ids filled in and `import --file` adopts them."""
    there = {BUCKET: "acme-docs-documents-dev", SERVICE: f"{PLACE}/services/archive-dev"}
    where = {"location": "europe-southwest1"}
    engine.elsewhere(engine.resources.create(BUCKET, "theirs", {"name": there[BUCKET], **where}))
    engine.elsewhere(
        engine.resources.create(
            SERVICE, "theirs", {"name": "archive-dev", "template": {"timeout": "300s"}, **where}
        )
    )
    file = tmp_path / "import.json"
    engine.configure(BASE)
    engine.watched(lambda see: engine.handle.preview(on_event=see, import_file=str(file)))
    listed = json.loads(file.read_text(encoding="utf-8"))
    kept = []
    for each in listed["resources"]:
        name = each.get("logicalName", each["name"])
        if each.get("component"):
            kept.append(each)
        elif (each["type"], name) in ((BUCKET, "documents-dev"), (SERVICE, "archive-dev")):
            kept.append({**each, "id": there[each["type"]]})
    file.write_text(json.dumps({**listed, "resources": kept}), encoding="utf-8")
    engine.run("import", "--file", str(file), "--generate-code=false", "--protect=false", "--yes")

    steps = engine.preview(BASE)
    assert steps["update"] == {"Bucket documents-dev", "Service archive-dev"}
    assert not {"Bucket documents-dev", "Service archive-dev"} & steps["create"]
    assert steps.keys() == {"create", "update"}
    engine.up(BASE)
    assert engine.preview(BASE) == {}


def test_a_name_in_the_state_follows_the_program(engine: RealEngine) -> None:
    """A resource that the program calls otherwise now: `state rename` instead of a delete and a create."""
    engine.up(BASE)
    engine.run(
        "state", "rename", engine.urn(BUCKET.rpartition(":")[2], "documents-dev"), "papers-dev", "--yes"
    )
    steps = engine.preview(BASE)
    assert (steps["delete"], "Bucket documents-dev" in steps["create"]) == ({"Bucket papers-dev"}, True)
    engine.run("state", "rename", engine.urn("Bucket", "papers-dev"), "documents-dev", "--yes")
    assert engine.preview(BASE) == {}


def test_a_change_by_hand_is_seen_and_taken_back(engine: RealEngine) -> None:
    """`refresh --preview-only` tells and changes nothing; `refresh` and the next `up` restore what is declared."""
    engine.up(BASE)
    held = next(each for each in engine.resources.all() if each.id.endswith("/services/gateway-dev"))
    engine.elsewhere(
        engine.resources.update(SERVICE, held.id, {**held.inputs, "ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY"})
    )
    before = engine.state()
    told = engine.run("refresh", "--preview-only", "--diff")
    assert "INGRESS_TRAFFIC_INTERNAL_ONLY" in told
    assert engine.state()["resources"] == before["resources"]
    engine.run("refresh", "--yes")
    assert engine.up(BASE) == {"update": {"Service gateway-dev"}}
    assert engine.books()["Service gateway-dev"] == held.inputs


@pytest.mark.parametrize("arrived", ["arrived", "lost"])
def test_a_first_deployment_that_was_cut_off_goes_on(arrived: str, tmp_path: Path) -> None:
    """After a kill: `cancel`, then `refresh` with what came of the creations under way, then `up`."""
    # A process of its own: the program's side of a killed engine, a thread of Pulumi's, leaves its event loop open.
    script = Path(__file__).with_name("cut_off.py")
    done = subprocess.run(
        [sys.executable, script, arrived, tmp_path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
