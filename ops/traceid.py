"""A trace id in any form an operator may paste: bare, from a log entry, from an alert or from a request header."""

import re
from typing import NamedTuple

from ops.errors import OperatorError


class TraceId(NamedTuple):
    """32 lower-case hex digits, and the project where the pasted form names one."""

    trace_id: str
    project: str | None


_FORMS = (
    re.compile(r"projects/(?P<project>[^/\s]+)/traces/(?P<id>[0-9a-fA-F]{32})"),
    re.compile(r"(?P<id>[0-9a-fA-F]{32})"),
    re.compile(r"(?P<id>[0-9a-fA-F]{32})/\d+(;o=\d+)?"),  # X-Cloud-Trace-Context
    re.compile(r"[0-9a-f]{2}-(?P<id>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"),  # traceparent
)


def parse_trace_id(text: str) -> TraceId:
    """Read any accepted form. Raises `OperatorError` for everything else, the all-zero id included."""
    for form in _FORMS:
        if (found := form.fullmatch(text.strip())) and set(found["id"]) != {"0"}:
            return TraceId(found["id"].lower(), found.groupdict().get("project"))
    raise OperatorError(
        f"{text[:80]!r} is not a trace id: give 32 hex digits, projects/PROJECT/traces/ID, "
        "or the value of a traceparent or X-Cloud-Trace-Context header."
    )
