"""`blueprint explain TRACE_ID`: one trace as a waterfall, and one sentence that names the hop at fault.

Reads only Google's own APIs, so it is the same for a local cloud and for a real project.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.console import Console

from ops.errors import OperatorError
from ops.findings import Findings
from ops.google import Google
from ops.options import ROOT
from ops.traceid import parse_trace_id
from ops.waterfall import Waterfall
from traces.analysis import Analysis, analyse, buckets
from traces.span import Trace

RUNNING = ROOT / ".localcloud" / "local" / "endpoint"
"""Where `blueprint local` leaves its address while it runs."""


def explain(
    trace_id: Annotated[
        str, typer.Argument(help="32 hex digits, projects/P/traces/ID, or a trace header's value.")
    ],
    project: Annotated[
        str | None,
        typer.Option(
            help="Google Cloud project; else the local cloud's that runs here, else the credentials' own."
        ),
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Address of a local cloud that runs elsewhere.")
    ] = None,
    expect: Annotated[
        str,
        typer.Option(help="Services, with commas between them, that must each have a span; else status 1."),
    ] = "",
) -> None:
    """Show where the time of one request went, and name the hop at fault."""
    parsed = parse_trace_id(trace_id)
    google = _reader(parsed.project or project, endpoint)
    trace = google.trace(parsed.trace_id)
    show(google, trace, Console(highlight=False))
    if missing := without_spans(trace, expect):
        raise OperatorError(
            f"Trace {trace.trace_id} has no span of {', '.join(missing)}: spans arrive some seconds after the request; "
            "later than that, look at those services' logs for failed exports."
        )


def show(google: Google, trace: Trace, console: Console) -> Analysis:
    """Print the explanation of a trace that has been read, and return what it rests on."""
    entries, doubt = _entries(google, trace)
    analysis = analyse(trace, entries, {name: google.bucket_location(name) for name in buckets(trace)})
    console.print(Waterfall(analysis))
    console.print()
    console.print(Findings(analysis))
    if doubt:
        console.print(doubt, style="yellow", markup=False)
    return analysis


def log_filter(trace: Trace) -> str:
    """The Logging query for all entries of a trace."""
    return f'trace="projects/{trace.project}/traces/{trace.trace_id}"'


def without_spans(trace: Trace, expect: str) -> list[str]:
    """Of the services named, with commas between them, those that have no span of their own; in the order given."""
    found = {span.service for span in trace.spans}
    return [name for name in filter(None, map(str.strip, expect.split(","))) if name not in found]


def _reader(project: str | None, endpoint: str | None) -> Google:
    """The given local cloud; else the one that runs here, unless another project is asked for; else Google."""
    if endpoint:
        return Google.local(endpoint, project)
    running = RUNNING.read_text(encoding="utf-8").strip() if RUNNING.is_file() else ""
    if running:
        with suppress(OperatorError):  # a file left by a cloud that was killed
            local = Google.local(running)
            if project in (None, local.project):
                return local
    return Google.default(project)


def _entries(google: Google, trace: Trace) -> tuple[list[Mapping[str, Any]], str]:
    """Logs make the picture richer; without the right to read them it is still worth showing."""
    try:
        return [*google.entries(log_filter(trace))], ""
    except OperatorError as error:
        return [], f"No logs are shown. {error}"
