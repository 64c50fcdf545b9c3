"""Where the start of an instance belongs in a trace: before the server span that waited for it, not below it.

`app/telemetry/coldstart.py` writes it as a child of that span, although it began first.
"""

from collections.abc import Mapping
from dataclasses import replace

from traces.span import Span


def place_starts(spans: dict[str, Span], parents: dict[str, str]) -> Mapping[str, Span]:
    """Move each start up to its server span's own parent, in `spans` and `parents`; the starts, by server span's id.

    Of a start only that part is left in which somebody waited: from the call, if the trace has it, to the server span.
    It has no length if the instance had started before it was called, as after a deployment.
    """
    starts = {}
    for start in [span for span in spans.values() if span.is_start]:
        server = spans.get(parents[start.span_id])
        if server is None or server.kind != "SERVER" or server.is_platform:
            continue
        caller = spans.get(parents[server.span_id])
        since = min(caller.start_ns if caller else start.start_ns, server.start_ns)
        times = [min(max(at, since), server.start_ns) for at in (start.start_ns, start.end_ns)]
        spans[start.span_id] = starts[server.span_id] = replace(start, start_ns=times[0], end_ns=times[1])
        parents[start.span_id] = parents[server.span_id]
    return starts
