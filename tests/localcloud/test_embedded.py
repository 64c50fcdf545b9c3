"""What the embedded engine does beyond the common life of a stack, which tests/ops/test_engines.py has."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pulumi
import pytest

from localcloud.embedded import Embedded
from localcloud.resources import Refused, Resources
from tests.localcloud.recording_cloud import CONFIG, HOME, PROGRAM, RecordingCloud, loop_in_thread

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:pulumi_gcp")

TEXTS = {key: value if isinstance(value, str) else json.dumps(value) for key, value in CONFIG.items()}


class Local:
    def __init__(self, directory: Path, loop: object) -> None:
        self.cloud = RecordingCloud()
        self.resources = Resources(directory / "state", self.cloud, HOME)
        self.program = directory / "program" / "__main__.py"
        self.program.parent.mkdir()
        self.write(PROGRAM)
        (self.program.parent / "settings.py").write_text(
            "import pulumi\nLOCATION = pulumi.Config().require('location')\n"
        )
        self.engine = Embedded(self.resources, loop, self.program, project="demo")  # type: ignore[arg-type]  # a fixture's

    def write(self, program: str) -> None:
        self.program.write_text(program)


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    with loop_in_thread() as loop:
        yield Local(tmp_path, loop)


def test_modules_beside_the_program_are_read_anew_for_every_run(local: Local) -> None:
    """`settings` reads the location as it is imported; healthy, incident and fixed run in one process."""
    for location in ("us-central1", "europe-west1", "us-central1"):
        local.engine.up({**TEXTS, "demo:location": location})
        assert local.cloud.held["docs-local"].inputs["location"] == location
    assert "settings" not in sys.modules


def test_the_callers_own_modules_are_untouched(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the program that the calling process had imported is the same object afterwards."""
    mine = type(sys)("settings")
    mine.__file__ = str(local.program.parent / "settings.py")
    monkeypatch.setitem(sys.modules, "settings", mine)
    local.engine.up(TEXTS)
    assert sys.modules["settings"] is mine


def test_the_program_runs_as_pulumis_host_runs_it(local: Local) -> None:
    """By path, as __main__, in its own directory, which is also the first to import from; afterwards all is as before."""
    local.write(
        "import os, sys, pulumi\n"
        "pulumi.export('seen', [__name__, __file__, os.getcwd(), sys.path[0], pulumi.get_stack(), pulumi.get_project()])\n"
    )
    before = os.getcwd(), list(sys.path)
    directory = str(local.program.parent)
    seen = local.engine.up(TEXTS)["seen"]
    assert seen == ["__main__", str(local.program), directory, directory, "local", "demo"]
    assert (os.getcwd(), sys.path) == before


def test_a_resource_declared_twice_is_refused(local: Local) -> None:
    account = "gcp.serviceaccount.Account('one', account_id='one')\n"
    local.write("import pulumi_gcp as gcp\n" + account * 2)
    with pytest.raises(
        Refused, match=r"^The program declares gcp:serviceaccount/account:Account 'one' twice; give"
    ):
        local.engine.up(TEXTS)


def test_after_a_failed_run_nothing_is_deleted_and_the_next_succeeds(local: Local) -> None:
    """A program that stops halfway has not said what it no longer wants."""
    local.engine.up(TEXTS)
    local.cloud.log.clear()
    with pytest.raises(pulumi.RunError, match="which has no gateway"):
        local.engine.up({**TEXTS, "demo:mistake": "yes", "demo:private": "yes"})
    assert local.cloud.log == []
    local.engine.up({**TEXTS, "demo:private": "yes"})
    assert local.cloud.log == ["drop ServiceIamMember public"]


def test_a_bug_in_the_program_keeps_its_traceback(local: Local) -> None:
    local.write("1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        local.engine.up(TEXTS)


def test_destroy_deletes_dependents_before_what_they_need(local: Local) -> None:
    local.engine.up(TEXTS)
    local.cloud.log.clear()
    local.engine.destroy()
    order = [line.split()[1] for line in local.cloud.log]
    assert order[:3] == ["Service", "ServiceIamMember", "BucketIAMMember"]
    assert set(order[3:]) == {"Bucket", "Account"}


def test_secrets_reach_the_cloud_in_plain_and_the_exports(local: Local) -> None:
    local.write(
        "import pulumi, pulumi_gcp as gcp\n"
        "key = pulumi.Output.secret('s3cret')\n"
        "gcp.storage.Bucket('b', name='b', location='us-central1', labels={'key': key})\n"
        "pulumi.export('key', {'deep': [key]})\n"
    )
    assert local.engine.up(TEXTS) == {"key": {"deep": ["s3cret"]}}
    assert local.cloud.held["b"].inputs["labels"] == {"key": "s3cret"}
