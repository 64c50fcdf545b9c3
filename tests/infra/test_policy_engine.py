"""The policy pack under Pulumi's own engine, with the whole program.

Needs a Pulumi CLI (`make engine`) and `.tools/policy` (docs/policy.md, Run it). The CLI that `make engine` builds has no
language host; it starts the pack as releases did before language hosts could.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from stack_files import ROOT, filled_in

from ops.engines import find_pulumi

VALUES = filled_in("prod")
pytestmark = [
    pytest.mark.engine,
    pytest.mark.xdist_group("policy"),
    pytest.mark.skipif(find_pulumi(ROOT) is None, reason="no Pulumi CLI here: `make engine` builds one"),
    pytest.mark.skipif(
        not (ROOT / ".tools" / "policy" / "bin" / "python").exists(),
        reason="no environment for the policy pack: docs/policy.md, Run it",
    ),
]


def _judged(directory: Path, *steps: tuple[str, dict[str, Any]], options: tuple[str, ...] = ()) -> Any:
    """For each step, a command and the values of its stack file: what `policy_engine.py` prints."""
    program = str(Path(__file__).with_name("policy_engine.py"))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", program, str(directory), *options],
        input=json.dumps(steps),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_first_preview_is_advised_a_deployment_judged_and_a_second_preview_silent(tmp_path: Path) -> None:
    """What is not known before the accounts exist is only advice; once they do, every rule is kept."""
    first, up, second = _judged(
        tmp_path, *((command, VALUES, "") for command in ("preview", "up", "preview"))
    )
    assert first["error"] == up["error"] == second["error"] == ""
    assert {level for _, level, _ in first["said"]} == {"advisory"}
    assert all("can't be known during preview" in message for _, _, message in first["said"])
    assert second["said"] == []


def test_a_mandatory_violation_stops_the_deployment(tmp_path: Path) -> None:
    """A component that somebody edited: with the sentence of the rule, for each service that violates it and nothing else."""
    edited = "infra.revision.liveness_probe"
    preview, up = _judged(tmp_path, ("preview", VALUES, edited), ("up", VALUES, edited))
    mandatory = [(rule, message) for rule, level, message in preview["said"] if level == "mandatory"]
    assert [rule for rule, _ in mandatory] == ["probes"] * 3
    assert any("gateway-prod: " in message and "livenessProbe is" in message for _, message in mandatory)
    assert "probes" in preview["error"]
    assert "probes" in up["error"]
