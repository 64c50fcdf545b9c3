"""`blueprint explain TRACE_ID`: one trace as a waterfall, and one sentence that names the hop at fault.

Reads only Google's own APIs, so it is the same for a local cloud and for a real project.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console

from ops.analysis import Analysis, analyse, buckets
from ops.errors import OperatorError
from ops.findings import Findings
from ops.google import Google
from ops.span import Trace
from ops.traceid import parse_trace_id
from ops.waterfall import Waterfall


def explain(
    trace_id: Annotated[
        str, typer.Argument(help="32 hex digits, projects/P/traces/ID, or a trace header's value.")
    ],
    project: Annotated[
        str | None, typer.Option(help="Google Cloud project; else the credentials' own.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Address of a local cloud, as `make local` prints it.")
    ] = None,
) -> None:
    """Show where the time of one request went. Raises `OperatorError` for what the operator can mend."""
    parsed = parse_trace_id(trace_id)
    project = parsed.project or project
    google = Google.local(endpoint, project) if endpoint else Google.default(project)
    show(google, google.trace(parsed.trace_id), Console(highlight=False))


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


def _entries(google: Google, trace: Trace) -> tuple[list[Mapping[str, Any]], str]:
    """Logs make the picture richer; without the right to read them it is still worth showing."""
    try:
        return [*google.entries(log_filter(trace))], ""
    except OperatorError as error:
        return [], f"No logs are shown. {error}"
