"""`blueprint explain`: where one request's time went and which hop is at fault, or what changed between two requests.

Reads only Google's own APIs, so it is the same for a local cloud and for a real project.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console

from ops.comparison import ComparisonTable, compare
from ops.errors import OperatorError
from ops.findings import Findings
from ops.google import Google
from ops.latest_error import latest_error
from ops.running import RUNNING, running
from ops.traceid import TraceId, parse_trace_id
from ops.waterfall import Waterfall
from traces.analysis import Analysis, analyse, buckets
from traces.record import Record, record
from traces.safetext import safe
from traces.span import Trace

_LONGEST_REQUEST = timedelta(hours=1)
"""What Cloud Run lets a request take at most (cloud.google.com/run/docs/configuring/request-timeout)."""


def explain(
    trace_id: Annotated[
        str | None, typer.Argument(help="32 hex digits, projects/P/traces/ID, or a trace header's value.")
    ] = None,
    project: Annotated[
        str | None,
        typer.Option(
            help="Google Cloud project; else the local cloud's that runs here, else the credentials' own."
        ),
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Address of a local cloud that runs elsewhere.")
    ] = None,
    newest: Annotated[
        bool, typer.Option("--latest-error", help="Instead of TRACE_ID: the newest trace that failed.")
    ] = False,
    service: Annotated[
        str | None, typer.Option(help="With --latest-error: the service in which it failed.")
    ] = None,
    pair: Annotated[
        tuple[str, str] | None,
        typer.Option("--compare", metavar="A B", help="Instead of TRACE_ID: two traces; what changed."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for automation.")] = False,
    expect: Annotated[
        str,
        typer.Option(help="Services, with commas between them, that must each have a span; else status 1."),
    ] = "",
) -> None:
    """Show where the time of one request went, and name the hop at fault; or what changed between two."""
    _check(trace_id, newest, service, pair, expect)
    ids = [parse_trace_id(text) for text in pair or filter(None, [trace_id])]
    google = _reader(_project(ids, project), endpoint)
    console = Console(highlight=False)
    if pair:
        _show_comparison(google, ids, console, as_json)
        return
    trace = latest_error(google, service) if newest else google.trace(ids[0].trace_id)
    if as_json:
        _print_json(_recorded(google, trace))
    else:
        show(google, trace, console)
    if missing := without_spans(trace, expect):
        raise OperatorError(
            f"Trace {trace.trace_id} has no span of {', '.join(missing)}: spans arrive some seconds after the request; "
            "later than that, look at those services' logs for failed exports."
        )


def show(google: Google, trace: Trace, console: Console) -> Analysis:
    """Print the explanation of a trace that has been read, and return what it rests on."""
    entries, doubt = _entries(google, trace)
    analysis = _analysed(google, trace, entries)
    console.print(Waterfall(analysis))
    console.print()
    console.print(Findings(analysis))
    if doubt:
        console.print(doubt, style="yellow", markup=False)
    return analysis


def log_filter(trace: Trace) -> str:
    """The Logging query for all entries of a trace; bounded in time, as else all that is retained is searched."""
    name = f'trace="projects/{trace.project}/traces/{trace.trace_id}"'
    begin = datetime.fromtimestamp(min(span.start_ns for span in trace.spans) / 1e9, UTC) - _LONGEST_REQUEST
    end = datetime.fromtimestamp(max(span.end_ns for span in trace.spans) / 1e9, UTC) + _LONGEST_REQUEST
    return f'{name} AND timestamp>="{begin:%Y-%m-%dT%H:%M:%SZ}" AND timestamp<="{end:%Y-%m-%dT%H:%M:%SZ}"'


def without_spans(trace: Trace, expect: str) -> list[str]:
    """Of the services named, with commas between them, those that have no span of their own; in the order given."""
    found = {span.service for span in trace.spans}
    return [name for name in filter(None, map(str.strip, expect.split(","))) if name not in found]


def _check(
    trace_id: str | None, newest: bool, service: str | None, pair: tuple[str, str] | None, expect: str
) -> None:
    given = {"TRACE_ID": trace_id is not None, "--latest-error": newest, "--compare A B": pair is not None}
    chosen = [name for name, there in given.items() if there]
    if len(chosen) != 1:
        raise OperatorError(
            f"Give exactly one of TRACE_ID, --latest-error and --compare A B, not {' and '.join(chosen) or 'none'}."
        )
    if service is not None and not newest:
        raise OperatorError(
            f"--service {service} says whose failure to look for: give it with --latest-error."
        )
    if expect and pair:
        raise OperatorError(f"--expect {expect} is of one trace: give it with TRACE_ID or --latest-error.")


def _project(ids: list[TraceId], project: str | None) -> str | None:
    """The project that the ids name, else the one that is asked for. Raises `OperatorError` for two of them."""
    named = sorted({found.project for found in ids if found.project})
    if len(named) > 1:
        raise OperatorError(f"--compare has traces of {' and '.join(named)}: give two traces of one project.")
    return named[0] if named else project


def _reader(project: str | None, endpoint: str | None) -> Google:
    """The given local cloud; else the one that runs here, unless another project is asked for; else Google."""
    if endpoint:
        return Google.local(endpoint, project)
    local = running(RUNNING)
    if local and project in (None, local.project):
        return local
    return Google.default(project)


def _show_comparison(google: Google, ids: list[TraceId], console: Console, as_json: bool) -> None:
    before, after = (_recorded(google, google.trace(found.trace_id)) for found in ids)
    comparison = compare(before, after)
    if as_json:
        _print_json(comparison)
    else:
        console.print(ComparisonTable(comparison))


def _recorded(google: Google, trace: Trace) -> Record:
    """The record of a trace; what is lacking for it goes to stderr."""
    entries, doubt = _entries(google, trace)
    if doubt:
        Console(stderr=True, highlight=False).print(doubt, style="yellow", markup=False)
    return record(_analysed(google, trace, entries))


def _print_json(told: object) -> None:
    typer.echo(json.dumps(_safe(told), indent=2))


def _safe(told: object) -> object:
    if isinstance(told, Mapping):
        return {key: _safe(value) for key, value in told.items()}
    if isinstance(told, list):
        return [_safe(value) for value in told]
    return safe(told) if isinstance(told, str) else told


def _analysed(google: Google, trace: Trace, entries: list[Mapping[str, Any]]) -> Analysis:
    return analyse(trace, entries, {name: google.bucket_location(name) for name in buckets(trace)})


def _entries(google: Google, trace: Trace) -> tuple[list[Mapping[str, Any]], str]:
    """Logs make the picture richer; without the right to read them it is still worth showing."""
    try:
        return [*google.entries(log_filter(trace))], ""
    except OperatorError as error:
        return [], f"No logs are shown. {error}"
