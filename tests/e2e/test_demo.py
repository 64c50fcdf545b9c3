"""`make demo` as automation sees it: the command's exit status, and the contract of `--json`, run in processes of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ops.engines import find_pulumi

ROOT = Path(__file__).parents[2]
# One cloud at a time: these processes compete for the 1000 ms that the story is about.
pytestmark = pytest.mark.xdist_group("cloud")

needs_cli = pytest.mark.skipif(find_pulumi(ROOT) is None, reason="no Pulumi CLI: run `make engine`")


def run_demo(tmp_path: Path, *arguments: str, exporter: str = "") -> dict[str, Any]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "OTEL_TRACES_EXPORTER": exporter}
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "ops", "demo", "--json", figures, "--state", tmp_path / "state", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    result: dict[str, Any] = json.loads(figures.read_text())
    return result


def assert_story(figures: dict[str, Any]) -> None:
    """The whole contract: every request one trace without orphans; the 504 near its budget, explained."""
    assert_traces(figures)
    culprit = figures["incident"]["culprit"]
    assert culprit["service"] == "archive"
    assert culprit["span"].startswith("storage.")
    assert 0.5 < culprit["share"] <= 1
    assert "australia-southeast1" in culprit["reason"]


def assert_traces(figures: dict[str, Any]) -> None:
    """What happened, whoever is to blame."""
    for part in ("healthy", "incident", "fixed"):
        told = figures[part]
        assert re.fullmatch("[0-9a-f]{32}", told["trace_id"])
        assert told["services"] == ["gateway", "extract", "archive"]
        assert told["orphan_spans"] == 0
        assert told["spans"] >= 8
        assert told["log_entries"] >= 3
    assert figures["healthy"]["status"] == figures["fixed"]["status"] == 201
    incident = figures["incident"]
    assert incident["status"] == 504
    assert 900 <= incident["latency_ms"] <= 2500, "without the deadline it would be a 201"
    assert incident["late_success"] is True
    assert incident["alerts"] == ["Timeouts (504) · local"]


@pytest.mark.parametrize("exporter", ["gcp_otlp", "gcp_trace"])
def test_story_without_a_cli(tmp_path: Path, exporter: str) -> None:
    """The embedded engine tells the whole story through either of the two doors into Cloud Trace."""
    figures = run_demo(tmp_path, "--engine", "embedded", exporter=exporter)
    assert figures["engine"] == "embedded"
    assert_story(figures)


@pytest.mark.engine
@needs_cli
def test_story_under_the_real_engine(tmp_path: Path) -> None:
    """Pulumi's own engine tells the same story."""
    figures = run_demo(tmp_path, "--engine", "pulumi")
    assert figures["engine"] == "pulumi"
    assert_story(figures)


@pytest.mark.parametrize("size", [0, 20_000_000], ids=["empty", "20MB"])
def test_story_with_the_users_document(tmp_path: Path, size: int) -> None:
    """Any file of the user's will do, from nothing to 20 MB of bytes that are no text."""
    document = tmp_path / "ein Dokument ö.bin"
    document.write_bytes(os.urandom(size))
    figures = run_demo(tmp_path, "--engine", "embedded", "--document", str(document))
    assert_traces(figures)
    # On a busy machine 20 MB spend most of the 1000 ms on their way to the bucket's door.
    assert size or figures["incident"]["culprit"]["service"] == "archive"
