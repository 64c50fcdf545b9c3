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
from stack_files import ROOT, changed, filled_in

from ops.engines import find_pulumi

VALUES = changed(filled_in("prod"), "notify.emails", ["oncall@example.com"])
pytestmark = [
    pytest.mark.engine,
    pytest.mark.xdist_group("policy"),
    pytest.mark.skipif(find_pulumi(ROOT) is None, reason="no Pulumi CLI here: `make engine` builds one"),
    pytest.mark.skipif(
        not (ROOT / ".tools" / "policy" / "bin" / "python").exists(),
        reason="no environment for the policy pack: docs/policy.md, Run it",
    ),
]


def _judged(directory: Path, *steps: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(Path(__file__).with_name("policy_engine.py")), str(directory)],
        input=json.dumps(steps),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    judged: list[dict[str, Any]] = json.loads(done.stdout)
    return judged


def test_a_first_preview_is_advised_a_deployment_judged_and_a_second_preview_silent(tmp_path: Path) -> None:
    """What is not known before the accounts exist is only advice; once they do, every rule is kept."""
    first, up, second = _judged(tmp_path, ("preview", VALUES), ("up", VALUES), ("preview", VALUES))
    assert first["error"] == up["error"] == second["error"] == ""
    assert {level for _, level, _ in first["said"]} == {"advisory"}
    assert all("can't be known during preview" in message for _, _, message in first["said"])
    assert second["said"] == []


def test_a_mandatory_violation_stops_the_deployment(tmp_path: Path) -> None:
    """With the sentence of the rule, for each service that violates it and nothing else."""
    values = changed(VALUES, "tracing.sample_ratio", 1.0)
    preview, up = _judged(tmp_path, ("preview", values), ("up", values))
    mandatory = [(rule, message) for rule, level, message in preview["said"] if level == "mandatory"]
    assert [rule for rule, _ in mandatory] == ["sampling-ratio"] * 3
    assert any("gateway-prod: " in message and "at most 0.1" in message for _, message in mandatory)
    assert "sampling-ratio" in preview["error"]
    assert "sampling-ratio" in up["error"]
