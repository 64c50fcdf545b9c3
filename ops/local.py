"""`blueprint local`: the stack `local` on a local cloud, up until Ctrl-C. What it stores is there again next time."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops import stackfile
from ops.demo import with_exporter
from ops.environment import STACK, Deployed, Environment
from ops.options import ROOT, EngineChoice
from ops.state import claimed


def local(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the console and the read APIs; 0 takes a free one.")
    ] = 0,
    engine: Annotated[
        EngineChoice, typer.Option(help="What deploys the Pulumi program.")
    ] = EngineChoice.auto,
    state: Annotated[
        Path | None, typer.Option(help="Where everything is kept; else .localcloud/local.")
    ] = None,
) -> None:
    """Bring the stack up on a local cloud and keep it up until Ctrl-C."""
    console = Console(highlight=False)
    config = with_exporter(stackfile.load(ROOT, STACK), os.environ.get("OTEL_TRACES_EXPORTER"))
    try:
        with (
            claimed(state or ROOT / ".localcloud" / "local") as directory,
            _endpoint(directory) as endpoint,
            Environment(ROOT, directory, config, engine=engine, port=port) as environment,
        ):
            for refusal in environment.refusals:
                console.print(Text(f"not brought back: {refusal}", style="yellow"))
            console.print(Text(f"engine   {environment.engine_text}"))
            begun = time.monotonic()
            deployed = environment.up(config)
            console.print(Text(f"up       {time.monotonic() - begun:.1f} s"))
            _show(console, environment, deployed, "" if state is None else f" --endpoint {environment.url}")
            endpoint.write_text(environment.url, encoding="utf-8")
            while True:
                time.sleep(3600)
    except KeyboardInterrupt:
        console.print(f"stopped; what was stored stays in {state or '.localcloud/local'}")


def _show(console: Console, environment: Environment, deployed: Deployed, endpoint: str) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, url in deployed.urls.items():
        table.add_row(name, url)
    table.add_row("console", environment.url)
    console.print(table)
    gateway = deployed.urls.get("gateway", "")
    for line in (
        f"\nsend     curl --data-binary @README.md '{gateway}/documents?name=README.md'",
        f"verify   .venv/bin/blueprint verify{endpoint}",
        f"explain  .venv/bin/blueprint explain --latest-error{endpoint}",
        f"attach   PULUMI_DEBUG_PROVIDERS=gcp:{environment.provider_port} pulumi up -s {STACK}",
        "stop     Ctrl-C",
    ):
        console.print(Text(line), soft_wrap=True)


@contextlib.contextmanager
def _endpoint(directory: Path) -> Iterator[Path]:
    """The file by which `blueprint explain` finds this cloud; gone when the cloud is."""
    path = directory / "endpoint"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
