"""`blueprint verify`: after a deployment, one command that tells whether tracing is complete, for people and for pipelines."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ops import stackfile
from ops.checks import Checks, all_ok, as_json
from ops.deployment import LOCAL, Deployment
from ops.engines import find_pulumi
from ops.errors import OperatorError
from ops.google import Google
from ops.options import ROOT
from ops.refusal import line
from ops.running import RUNNING, running
from ops.verify.verification import Verification, Wish, verification


def verify(
    stack: Annotated[
        str, typer.Option("--stack", "-s", help="The stack; else the local cloud that runs here.")
    ] = "",
    endpoint: Annotated[str, typer.Option(help="Address of a local cloud that runs elsewhere.")] = "",
    request: Annotated[
        str, typer.Option(help='What is asked, as "GET /orders"; else a document for the pipeline, or GET /.')
    ] = "",
    expect: Annotated[
        str, typer.Option(help="Services, with commas between them, that it reaches; else all along `calls`.")
    ] = "",
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds to wait for an answer, and then for its trace.")
    ] = 60.0,
    as_json_: Annotated[
        bool, typer.Option("--json", help="Print the checks as JSON, and nothing else.")
    ] = False,
) -> None:
    """Send one request and say whether its trace is complete; if not, why, and what mends it. Status 1 if a check fails."""
    google, deployment = find(stack, endpoint)
    named = tuple(filter(None, map(str.strip, expect.split(","))))
    console = Console(highlight=False)
    waiting = (
        console.status("asking, and waiting for the trace") if console.is_terminal and not as_json_ else None
    )
    with waiting or nullcontext():
        found = verification(google, deployment, Wish(request, named, timeout))
    if as_json_:
        print(as_json(found.checks))
    else:
        _show(console, deployment, found)
    if not all_ok(found.checks):
        raise typer.Exit(1)


def find(stack: str, endpoint: str) -> tuple[Google, Deployment]:
    """What to verify, and who reads of it. Raises `OperatorError` where nothing is deployed."""
    if stack not in ("", LOCAL):
        deployment = of_stack(ROOT, stack)
        return Google.default(deployment.project), deployment
    google = Google.local(endpoint) if endpoint else running(RUNNING)
    if google is None:
        raise OperatorError(
            "Nothing to verify: no local cloud runs here; keep `make local` running, or name a deployed stack with --stack."
        )
    record = google.about().get("deployment")
    if not isinstance(record, dict):
        raise OperatorError(
            f"The local cloud at {google.console} has deployed nothing yet: wait until it is up."
        )
    return google, Deployment.read(record)


def of_stack(root: Path, stack: str) -> Deployment:
    """A stack on Google, from its file and what Pulumi's state says of it. Raises `OperatorError`."""
    config = stackfile.load(root, stack)
    pulumi = find_pulumi(root)
    if pulumi is None:
        raise OperatorError(
            f"--stack {stack}: no Pulumi CLI was found, which knows the stack's addresses; install it, or run `make engine`."
        )
    done = subprocess.run(
        [pulumi, "stack", "output", "--json", "--stack", stack],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[:300]
        raise OperatorError(
            f"`pulumi stack output --stack {stack}` failed ({said}): log in to the stack's state (pulumi login), and deploy it."
        )
    try:
        outputs = json.loads(done.stdout or "{}")
    except ValueError:
        raise OperatorError(
            f"`pulumi stack output --json --stack {stack}` did not print JSON ({line(done.stdout)[:200]}): "
            "see what it prints, and that it is Pulumi's own CLI."
        ) from None
    return Deployment.of(stack, config, outputs)


def _show(console: Console, deployment: Deployment, found: Verification) -> None:
    console.print(Text(f"Stack {deployment.stack}, project {deployment.project}", style="bold"))
    console.print(Checks(found.checks), soft_wrap=True)
    for title, page in found.pages:
        console.print(Text(f"{title}: {page}", style="dim"), soft_wrap=True)
    sys.stdout.flush()
