"""`infra/__main__.py` as Pulumi's own Python host runs it: by path, in infra/, which is also first on sys.path."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from stack_files import ROOT, as_pulumi_passes, changed, filled_in

HOST = Path(__file__).with_name("pulumi_host.py")


def _host(stack: str, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "PYTHONPATH")}
    env["PULUMI_CONFIG"] = json.dumps(as_pulumi_passes(values))
    return subprocess.run(
        [sys.executable, str(HOST), stack],
        cwd=ROOT / "infra",
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_program_runs_by_path_in_its_own_directory() -> None:
    """Absolute imports, and no file that hides a module of the standard library."""
    done = _host("local", filled_in("local"))
    assert done.returncode == 0, done.stderr
    declared = json.loads(done.stdout)
    assert declared.count("gcp:cloudrunv2/service:Service") == 3
    assert declared.count("gcp:monitoring/slo:Slo") == 2


def test_a_refusal_reaches_the_host_as_its_sentence_alone() -> None:
    """The host prints a RunError's text; anything else it prints with its stack."""
    done = _host("local", changed(filled_in("local"), "services.gateway.timeout", 4000))
    assert done.returncode == 1
    assert done.stdout == (
        "error: blueprint:services.gateway.timeout is 4000, but must be whole seconds from 1 to 3600;"
        " change it in stacks/Pulumi.local.yaml.\n"
    )
    assert "Traceback" not in done.stderr
