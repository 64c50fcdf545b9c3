"""`blueprint doctor`: before a deployment, what is missing, and the command that mends it. Changes nothing, deploys nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from infra.stack import Stack
from ops.checks import Check, Checks, all_ok, as_json
from ops.doctor import logins, stack, tools
from ops.doctor.backend import state
from ops.doctor.network import network
from ops.doctor.stack import title
from ops.doctor.workstation import Workstation
from ops.environment import STACK as LOCAL
from ops.google import address
from ops.options import ROOT
from ops.running import RUNNING, running
from traces.safetext import safe

_UNWRAPPED = 10_000
"""Columns: the terminal breaks long lines itself, so that a command that is copied has no line breaks in it."""


def doctor(
    stack: Annotated[
        str | None,
        typer.Option(
            help="The stack to be deployed; else `local` while a local cloud runs here, else `dev`."
        ),
    ] = None,
    project: Annotated[
        str | None, typer.Option(help="Google Cloud project in place of the stack file's.")
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(help="Address of a local cloud that runs elsewhere; no credentials are needed."),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Only what needs no network.")] = False,
    as_json_: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout, for automation.")
    ] = False,
) -> None:
    """Say what is missing before `pulumi up`, each with the command that mends it; status 1 if anything is."""
    here = None if endpoint else running(RUNNING)
    env = stack or (LOCAL if endpoint or (here and project is None) else "dev")
    cloud = address(endpoint) if endpoint else here.console if here and env == LOCAL else ""
    machine = Workstation.here(ROOT)
    checks = list(examine(machine, env, project=project, endpoint=cloud, offline=offline))
    if as_json_:
        typer.echo(as_json(checks))
    else:
        console = Console(highlight=False, width=_UNWRAPPED)
        where = f", at {cloud}" if cloud else ""
        heading = title(machine.root, env, project) + (", offline" if offline else where)
        console.print(Text(safe(heading, console.options.ascii_only), style="bold"))
        console.print(Checks(checks))
    if not all_ok(checks):
        raise typer.Exit(1)


def examine(
    machine: Workstation, env: str, *, project: str | None = None, endpoint: str = "", offline: bool = False
) -> Iterator[Check]:
    """Every check in order. What a failure makes meaningless is left out, and so is what a local cloud has no need of."""
    local = bool(endpoint) or env == LOCAL
    yield tools.python()
    yield tools.packages(machine.root)
    if not local:
        yield from tools.tools(machine)
    found = stack.read(machine.root, env, project)
    yield from found.checks
    if found.stack is None:
        return
    login = None
    if not local:
        login = _login(machine, found.stack, offline)
        yield from _deploying(machine, found.stack, login)
    if offline or (login and not login.ok):
        return
    yield from network(machine, found.stack, endpoint)


def _deploying(machine: Workstation, found: Stack, login: Check | None) -> Iterator[Check]:
    if found.build:
        yield tools.docker(machine)
    yield from state(machine, found)
    if login:
        yield login
    if found.build:
        yield logins.registry(machine, found)


def _login(machine: Workstation, found: Stack, offline: bool) -> Check | None:
    """Without a file there may still be a metadata server, which only the network tells of."""
    if offline or logins.file_of(machine):
        return logins.application_default(machine, found.project)
    return None
