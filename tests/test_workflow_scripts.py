"""The two scripts of the workflows: the digest into the stack file, and the request after a deployment."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml

from ops.engines import find_pulumi

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
SCRIPTS = sorted(GITHUB.glob("*.sh"))
needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="no jq, which GitHub's machines have")


def needs_pulumi(test: Callable[..., None]) -> Callable[..., None]:
    """Marks a test that runs the real CLI."""
    without = pytest.mark.skipif(find_pulumi(ROOT) is None, reason="no Pulumi CLI: run `make engine`")
    marked: Callable[..., None] = pytest.mark.engine(needs_jq(without(test)))
    return marked


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_parse_and_stop_at_the_first_error(path: Path) -> None:
    """A failed step in the middle must not end in a green job."""
    subprocess.run(["bash", "-n", path], check=True)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n# Usage: ")
    assert "\nset -euo pipefail\n" in text


# ---- the image in the stack file -----------------------------------------------------------------------------------

OWN = "europe-west1-docker.pkg.dev/acme-docs/services-dev/app"
IMAGE, OLD, RUNNING = (f"{OWN}@sha256:{digit * 64}" for digit in "cab")
OTHER = "docker.io/acme/other@sha256:" + "d" * 64
NEIGHBOUR = "europe-west1-docker.pkg.dev/acme-docs/services-dev/other@sha256:" + "e" * 64
IMAGES = {
    "gateway": None,
    "extract": "REGION-docker.pkg.dev/PROJECT_ID/services-prod/app@sha256:DIGEST",
    "archive": f"{OWN}:TAG",
    "committed": OLD,
    "tagged": f"{OWN}:v1",
    "other": OTHER,
    "neighbour": NEIGHBOUR,
}
PIPELINES = ("gateway", "extract", "archive", "committed", "tagged")
"""Those whose image the pipeline names; the last two of IMAGES have one of their own."""


def _services(images: dict[str, str | None]) -> dict[str, Any]:
    return {name: {"public": True} | ({"image": image} if image else {}) for name, image in images.items()}


def _images(
    project: Path, images: dict[str, str | None], running: dict[str, Any] | None, *arguments: str
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """The script over a stack file with these images, and what it leaves there. By Pulumi's own CLI, but for the outputs."""
    config = {"gcp:project": "acme-docs", "gcp:region": "europe-west1", "blueprint:build": True}
    file = project / "stacks/Pulumi.dev.yaml"
    file.parent.mkdir()
    file.write_text(
        yaml.safe_dump({"config": config | {"blueprint:services": _services(images)}}), encoding="utf-8"
    )
    (project / "Pulumi.yaml").write_text(
        "name: blueprint\nruntime: yaml\nstackConfigDir: stacks\n", encoding="utf-8"
    )
    done = subprocess.run(
        ["bash", GITHUB / "images.sh", "dev", *arguments],
        cwd=project,
        env=_pulumi(project, running),
        capture_output=True,
        text=True,
        check=False,
    )
    return done, yaml.safe_load(file.read_text(encoding="utf-8"))["config"]


@needs_pulumi
def test_the_pipeline_s_image_is_written_wherever_it_is_the_pipeline_s_to_name(tmp_path: Path) -> None:
    """Over an older digest too, or a committed one would be deployed for ever by a green pipeline."""
    done, config = _images(tmp_path, IMAGES, {}, IMAGE)
    assert done.returncode == 0, done.stderr
    assert config["blueprint:build"] in (False, "false")  # the pipeline has built it
    assert config["blueprint:services"] == _services(IMAGES | dict.fromkeys(PIPELINES, IMAGE))


@needs_pulumi
def test_it_is_said_when_nothing_would_be_deployed(tmp_path: Path) -> None:
    """Every service has an image of its own: the new one would go nowhere."""
    done, config = _images(tmp_path, {"other": OTHER, "neighbour": NEIGHBOUR}, {}, IMAGE)
    assert done.returncode == 1
    assert f"none is {OWN}, so nothing would be deployed: remove the image" in done.stderr
    assert config["blueprint:services"] == _services({"other": OTHER, "neighbour": NEIGHBOUR})


RUN = {"gateway": {"image": RUNNING}, "other": {"image": OTHER}}
PREVIEWS = [
    ({"gateway": None, "other": OTHER}, RUN, {"gateway": RUNNING}),
    ({"gateway": OLD}, RUN, {"gateway": RUNNING}),
    ({"gateway": None, "new": None}, RUN, {"gateway": RUNNING, "new": RUNNING}),
    ({"gateway": None, "other": None}, RUN, {"gateway": RUNNING, "other": RUNNING}),
    ({"new": None}, {"other": {"image": OTHER}}, {"new": OTHER}),
    ({"new": None}, {"gateway": {"image": None}, "other": {"image": OTHER}}, {"new": OTHER}),
    ({"gateway": None}, {}, None),
    ({"gateway": None}, None, None),
]


@needs_pulumi
@pytest.mark.parametrize(("images", "running", "expected"), PREVIEWS)
def test_a_preview_has_the_image_that_runs(
    tmp_path: Path,
    images: dict[str, str | None],
    running: dict[str, Any] | None,
    expected: dict[str, str] | None,
) -> None:
    """A service that a pull request adds has none yet, and gets another's; `null` is no image."""
    done, config = _images(tmp_path, images, running)
    assert (done.returncode == 0) is (expected is not None), done.stderr
    assert config["blueprint:services"] == _services(images | (expected or {}))
    if expected is None:
        assert "no service runs an image that gateway could have" in done.stderr


@needs_pulumi
def test_outputs_that_cannot_be_read_stop_the_preview(tmp_path: Path) -> None:
    """Inside another command's argument, a failure would leave an empty image and a status of 0."""
    done, config = _images(tmp_path, {"gateway": None}, {"gateway": "no map"})
    assert done.returncode != 0
    assert config["blueprint:services"] == _services({"gateway": None})


def _pulumi(project: Path, outputs: dict[str, Any] | None) -> dict[str, str]:
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
    _stub_outputs(project, Path(pulumi), json.dumps(outputs))
    subprocess.run(
        [pulumi, "stack", "init", "dev", "--non-interactive"],
        cwd=project,
        env=environment,
        check=True,
        capture_output=True,
    )
    return environment


def _stub_outputs(project: Path, pulumi: Path, outputs: str) -> None:
    """`pulumi stack output` without an `up`, which would need a language plugin; every other command is the CLI's own."""
    (project / "bin").mkdir()
    stub = project / "bin" / "pulumi"
    stub.write_text(
        f"#!/bin/sh\nif [ \"$1 $2\" = 'stack output' ]; then echo '{outputs}'; else exec '{pulumi}' \"$@\"; fi\n",
        encoding="utf-8",
    )
    stub.chmod(0o755)


# ---- the request after a deployment --------------------------------------------------------------------------------


class Gateway(BaseHTTPRequestHandler):
    """A deployed service: answers with these statuses in turn, and remembers what it was asked."""

    statuses: ClassVar[list[int]]
    seen: ClassVar[list[tuple[str, str]]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, self.headers["traceparent"]))
        self.send_response(self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args: Any) -> None:
        """Silent."""


SMOKE = [
    ([201], 3, True, 1),
    ([201], 99, False, 1),
    ([504, 503, 201], 1, True, 3),  # the first requests found no instance
    ([400], 1, False, 4),
]


@needs_jq
@pytest.mark.parametrize(("statuses", "explained_at", "passes", "tries"), SMOKE)
def test_the_smoke_check_is_green_only_if_the_request_and_its_trace_are(
    tmp_path: Path, statuses: list[int], explained_at: int, passes: bool, tries: int
) -> None:
    """The trace of the try that was answered is waited for, and its id is one that a ratio of 1 in 10 000 still keeps."""
    done, seen, asked = _served(tmp_path, statuses, explained_at)
    assert (done.returncode == 0) is passes, done.stderr
    assert {path for path, _ in seen} == {"/documents?name=smoke-test.md"}
    traces = [header.split("-")[1] for _, header in seen]
    assert len(set(traces)) == len(traces) == tries  # spans of a try that failed prove nothing
    assert all(int(trace[16:], 16) < 2**64 / 10_000 for trace in traces)
    answered = statuses[-1] == 201
    line = f"explain {traces[-1]} --project acme-docs --expect gateway,extract,archive"
    assert asked == [line] * (min(explained_at, 5) if answered else 0)


@needs_jq
def test_a_fork_names_its_own_service_path_and_spans(tmp_path: Path) -> None:
    """The template's three services are a default."""
    own = {"SMOKE_SERVICE": "shop", "SMOKE_PATH": "/orders", "SMOKE_EXPECT": "shop,stock"}
    done, seen, asked = _served(tmp_path, [200], 1, **own)
    assert done.returncode == 0, done.stderr
    assert [path for path, _ in seen] == ["/orders"]
    assert asked[0].endswith("--expect shop,stock")


def _served(
    directory: Path, statuses: list[int], explained_at: int, **more: str
) -> tuple[subprocess.CompletedProcess[str], list[tuple[str, str]], list[str]]:
    """The script against a service: how it ended, what the service was asked, and what `blueprint` was."""
    handler = type("Answering", (Gateway,), {"statuses": list(statuses), "seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        done = _smoke(directory, f"http://127.0.0.1:{server.server_port}", explained_at, more)
        server.shutdown()
    asked = directory / "asked"
    return done, handler.seen, asked.read_text(encoding="utf-8").splitlines() if asked.exists() else []


def _smoke(
    directory: Path, url: str, explained_at: int, more: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """The script with a Pulumi that knows two outputs, and an explanation that is there at the n-th time."""
    urls = json.dumps({more.get("SMOKE_SERVICE", "gateway"): url})
    scripts = {
        "bin/pulumi": f"case $3 in urls) echo '{urls}';; project) echo acme-docs;; esac",
        "bin/sleep": "true",
        ".venv/bin/blueprint": f'echo "$@" >> asked; [ "$(wc -l < asked)" -ge {explained_at} ]',
    }
    for name, text in scripts.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
    (directory / "README.md").write_text("# A document\n", encoding="utf-8")
    environment = {"PATH": f"{directory / 'bin'}:{os.environ['PATH']}", "no_proxy": "127.0.0.1", **more}
    return subprocess.run(
        ["bash", GITHUB / "smoke.sh", "dev"],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
