"""`blueprint demo`: deploy, send documents, break the stack, explain the 504, mend it. The whole story in one command."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from ops import stackfile
from ops.documents import documents
from ops.environment import STACK, Environment
from ops.errors import OperatorError
from ops.options import ROOT, EngineChoice
from ops.stackfile import Config
from ops.state import claimed, demo_directory
from ops.story import Story

_EXPORTERS = ("gcp_otlp", "gcp_trace")


def demo(
    document: Annotated[
        Path | None, typer.Option(help="A file to send; else this repository's own documents.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the run's figures to this file.")
    ] = None,
    engine: Annotated[
        EngineChoice, typer.Option(help="What deploys the Pulumi program.")
    ] = EngineChoice.auto,
    state: Annotated[
        Path | None, typer.Option(help="An empty directory to work in; else .localcloud/demo.")
    ] = None,
) -> None:
    """Deploy the stack on a local cloud, send documents, re-enact the incident, name the culprit, mend it."""
    if json_file and (json_file.is_dir() or not os.access(json_file.absolute().parent, os.W_OK)):
        raise OperatorError(f"--json {json_file}: cannot be written; give a file in a directory that exists.")
    sent = documents(ROOT, document)
    config = with_exporter(stackfile.load(ROOT, STACK), os.environ.get("OTEL_TRACES_EXPORTER"))
    console = Console(highlight=False)
    with (
        claimed(demo_directory(ROOT, state), fresh=True) as directory,
        Environment(ROOT, directory, config, engine=engine) as environment,
    ):
        figures = Story(environment, config, sent, console).run()
    if json_file:
        json_file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    failures = broken_promises(figures)
    for failure in failures:
        console.print(Text(f"not as promised: {failure}", style="red"))
    if failures:
        raise typer.Exit(1)


def with_exporter(config: Config, exporter: str | None) -> Config:
    """The config with the exporter of the caller's environment; raises `OperatorError` for one whose spans never arrive here."""
    if not exporter:
        return config
    if exporter not in _EXPORTERS:
        raise OperatorError(
            f"OTEL_TRACES_EXPORTER has value {exporter!r}; the demo reads its traces back from the local cloud, "
            f"which takes {' and '.join(_EXPORTERS)}: set one of them, or unset it."
        )
    return stackfile.changed(config, "tracing", "exporter", value=exporter)


def broken_promises(figures: dict[str, Any]) -> list[str]:
    """What the demo promises and this run did not show; empty is success."""
    promises = {
        "the healthy request is answered 201": figures["healthy"]["status"] == 201,
        "the incident's request is answered 504": figures["incident"]["status"] == 504,
        "a service ends late, with success": figures["incident"]["late_success"],
        "an alert fires": bool(figures["incident"]["alerts"]),
        "the culprit is named": figures["incident"]["culprit"] is not None,
        "the mended request is answered 201": figures["fixed"]["status"] == 201,
        "no span is an orphan": not any(
            figures[part]["orphan_spans"] for part in ("healthy", "incident", "fixed")
        ),
    }
    return [promise for promise, kept in promises.items() if not kept]
