"""The filter of Cloud Trace v1 `projects.traces.list`: terms with AND between them, `+` for an exact match.

Terms as google.devtools.cloudtrace.v1.ListTracesRequest defines them; quotes keep a value with blanks together.
"""

import re
import shlex
from collections.abc import Callable, Sequence

from localcloud.trace.shape import labels
from localcloud.trace.store import Span

TraceTest = Callable[[Sequence[Span]], bool]
_UNITS = {"ns": 1, "ms": 10**6, "s": 10**9, "": 10**6}


def trace_filter(text: str) -> TraceTest:
    """A test of one trace's spans. Raises ValueError for a term that is not understood."""
    tests = [_term(term) for term in shlex.split(text)]
    return lambda spans: all(test(spans) for test in tests)


def latency_ns(spans: Sequence[Span]) -> int:
    """From the first start to the last end, orphans included."""
    return max(span.end_ns for span in spans) - min(span.start_ns for span in spans)


def _term(term: str) -> TraceTest:
    exact = term.startswith("+")
    key, colon, value = term.removeprefix("+").partition(":")
    if not colon:
        key, value = "root", key
    if not key or not value or key.startswith(("-", "^")):
        raise ValueError(
            f"filter term '{term}' is none of [+]root:, [+]span:, latency:, label:, [+]KEY:VALUE"
        )
    if key == "latency":
        return _latency(value)
    if key == "label":
        return lambda spans: any(value in labels(span) for span in spans)

    def equal(found: str | None) -> bool:
        return found is not None and (found == value if exact else found.startswith(value))

    if key in ("root", "span"):
        return lambda spans: any(equal(span.name) for span in spans if key == "span" or not span.parent_id)
    name = {"method": "/http/method", "url": "/http/url"}.get(key, key)
    return lambda spans: any(equal(labels(span).get(name)) for span in spans)


def _latency(value: str) -> TraceTest:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ns|ms|s|)", value)
    if match is None:
        raise ValueError(f"latency '{value}' is not a number with ns, ms or s, e.g. latency:24ms")
    least = float(match[1]) * _UNITS[match[2]]
    return lambda spans: latency_ns(spans) >= least
