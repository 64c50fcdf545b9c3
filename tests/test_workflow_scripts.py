"""The two scripts of the workflows: the digest into the stack file, and the request after a deployment."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.engines import find_pulumi

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
SCRIPTS = sorted(GITHUB.glob("*.sh"))


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_parse_and_stop_at_the_first_error(path: Path) -> None:
    """A failed step in the middle must not end in a green job."""
    subprocess.run(["bash", "-n", path], check=True)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n# Usage: ")
    assert "\nset -euo pipefail\n" in text


# ---- the image in the stack file -----------------------------------------------------------------------------------

IMAGE = "europe-west1-docker.pkg.dev/acme-docs/services-dev/app@sha256:" + "c" * 64
OTHER = "docker.io/acme/other@sha256:" + "d" * 64
STACK = {
    "gcp:project": "acme-docs",
    "blueprint:build": True,
    "blueprint:services": {
        "gateway": {"public": True, "calls": ["extract"]},
        "extract": {"image": "REGION-docker.pkg.dev/PROJECT_ID/services-prod/app@sha256:DIGEST"},
        "other": {"image": OTHER},
    },
}
PROGRAM = """
name: blueprint
runtime: yaml
stackConfigDir: stacks
outputs:
  services:
    gateway: {image: running@sha256:1}
    extract: {image: running@sha256:2}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "stacks/Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": STACK}), encoding="utf-8")
    return tmp_path


@pytest.mark.engine
@pytest.mark.skipif(find_pulumi(ROOT) is None, reason="no Pulumi CLI: run `make engine`")
@pytest.mark.skipif(shutil.which("jq") is None, reason="no jq, which GitHub's machines have")
@pytest.mark.parametrize(
    ("image", "gateway", "extract"),
    [([IMAGE], IMAGE, IMAGE), ([], "running@sha256:1", "running@sha256:2")],
    ids=["deployed", "previewed"],
)
def test_services_that_name_no_image_get_the_one_of_the_pipeline(
    project: Path, image: list[str], gateway: str, extract: str
) -> None:
    """By Pulumi's own CLI; the other settings stay, and so does a service with an image of its own."""
    environment = _pulumi(project)
    subprocess.run(["bash", GITHUB / "images.sh", "dev", *image], cwd=project, env=environment, check=True)
    config = yaml.safe_load((project / "stacks/Pulumi.dev.yaml").read_text(encoding="utf-8"))["config"]
    assert config["blueprint:build"] in (False, "false")  # the pipeline has built it
    assert config["blueprint:services"] == {
        "gateway": {"public": True, "calls": ["extract"], "image": gateway},
        "extract": {"image": extract},
        "other": {"image": OTHER},
    }


def _pulumi(project: Path) -> dict[str, str]:
    """An environment with the CLI on PATH and a stack in a state of its own."""
    pulumi = find_pulumi(ROOT)
    assert pulumi
    (project / "state").mkdir()
    environment = {
        "PATH": f"{project / 'bin'}:{Path(pulumi).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(project),
        "PULUMI_BACKEND_URL": f"file://{project / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    _stub_outputs(project, Path(pulumi))
    subprocess.run(
        [pulumi, "stack", "init", "dev", "--non-interactive"],
        cwd=project,
        env=environment,
        check=True,
        capture_output=True,
    )
    return environment


def _stub_outputs(project: Path, pulumi: Path) -> None:
    """`pulumi stack output` without an `up`, which would need a language plugin; every other command is the CLI's own."""
    outputs = json.dumps(yaml.safe_load(PROGRAM)["outputs"]["services"])
    (project / "bin").mkdir()
    stub = project / "bin" / "pulumi"
    stub.write_text(
        f"#!/bin/sh\nif [ \"$1 $2\" = 'stack output' ]; then echo '{outputs}'; else exec '{pulumi}' \"$@\"; fi\n",
        encoding="utf-8",
    )
    stub.chmod(0o755)


# ---- the request after a deployment --------------------------------------------------------------------------------


class Gateway(BaseHTTPRequestHandler):
    """Answers as the deployed gateway does: with the trace id that it was sent."""

    status = 201

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        trace = self.headers["traceparent"].split("-")[1]
        answer = json.dumps({"trace_id": trace}).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: Any) -> None:
        """Silent."""


@pytest.mark.skipif(shutil.which("jq") is None, reason="no jq, which GitHub's machines have")
@pytest.mark.parametrize(
    ("status", "explained_at", "passes"), [(201, 3, True), (201, 99, False), (400, 1, False)]
)
def test_the_smoke_check_is_green_only_if_the_request_and_its_trace_are(
    tmp_path: Path, status: int, explained_at: int, passes: bool
) -> None:
    """The trace is waited for, and its id is one that a ratio of 1 in 10 000 still keeps."""
    handler = type("Answering", (Gateway,), {"status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = _smoke(tmp_path, f"http://127.0.0.1:{server.server_port}", explained_at)
        server.shutdown()
    asked = (tmp_path / "asked").read_text(encoding="utf-8").splitlines() if status == 201 else []
    assert (done.returncode == 0) is passes, done.stderr
    assert len(asked) == (0 if status != 201 else min(explained_at, 5))
    for line in asked:
        match = re.fullmatch(r"explain [0-9a-f]{16}([0-9a-f]{16}) --project acme-docs", line)
        assert match
        assert int(match[1], 16) < 2**64 / 10_000


def _smoke(directory: Path, url: str, explained_at: int) -> subprocess.CompletedProcess[str]:
    """The script with a Pulumi that knows two outputs, and an explanation that is there at the n-th time."""
    scripts = {
        "bin/pulumi": f'case $3 in urls) echo \'{{"gateway": "{url}"}}\';; project) echo acme-docs;; esac',
        "bin/sleep": "true",
        ".venv/bin/blueprint": f'echo "$@" >> asked; [ "$(wc -l < asked)" -ge {explained_at} ]',
    }
    for name, text in scripts.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
    (directory / "README.md").write_text("# A document\n", encoding="utf-8")
    environment = {"PATH": f"{directory / 'bin'}:{os.environ['PATH']}", "no_proxy": "127.0.0.1"}
    return subprocess.run(
        ["bash", GITHUB / "smoke.sh", "dev"],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
