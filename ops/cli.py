"""The `blueprint` command line: its commands, and how an error reaches the person who typed it."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import typer
from rich.console import Console
from rich.text import Text

from ops.demo import demo
from ops.doctor.command import doctor
from ops.errors import OperatorError
from ops.explain import explain
from ops.local import local
from ops.newservice.commands import new_service, upgrade_service
from ops.verify.command import verify

app = typer.Typer(
    help="Complete distributed tracing for Python services on Cloud Run: run it, break it, explain it, on a laptop.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
for command in (demo, local, explain, verify, doctor, new_service, upgrade_service):
    app.command()(command)


def main() -> None:
    """What `blueprint` runs. What an operator can mend is one sentence on stderr and status 1, with no stack trace."""
    # The default action would skip every `finally`: the services' processes must end with us.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    # A shell starts background jobs with SIGINT ignored; Ctrl-C's meaning must not depend on who started us.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        app()
    except OperatorError as error:
        Console(stderr=True, highlight=False).print(Text(f"blueprint: {error}", style="red"), soft_wrap=True)
        sys.exit(1)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
