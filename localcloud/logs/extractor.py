"""The label and value extractors of alert policies and log metrics: one text out of a log entry.

Source: monitoring v3, AlertPolicy.LogMatch.label_extractors, and logging v2, LogMetric.value_extractor.
"""

import re
from collections.abc import Callable

from localcloud.logs.comparison import QueryError, compile_pattern, values
from localcloud.logs.query import field_path, unquote
from localcloud.logs.store import LogEntry

Extractor = Callable[[LogEntry], str]


def extractor(text: str) -> Extractor:
    """EXTRACT(field) or REGEXP_EXTRACT(field, "regex with one group"); what is not found is an empty text. Raises QueryError."""
    match = re.fullmatch(
        r'(EXTRACT)\(\s*(.+?)\s*\)|REGEXP_EXTRACT\(\s*(.+?)\s*,\s*(".*")\s*\)', text, re.DOTALL
    )
    if match is None:
        raise QueryError(f"'{text}' is neither EXTRACT(field) nor REGEXP_EXTRACT(field, \"regex\").")
    path = field_path(match[2] or match[3])
    pattern = compile_pattern("(?s)(.*)" if match[1] else unquote(match[4]))
    if pattern.groups != 1:
        raise QueryError(
            f"'{text}' has {pattern.groups} groups in its regular expression; it needs exactly one."
        )

    def extract(entry: LogEntry) -> str:
        return pattern.captured(str(next(values(entry, path), "")))

    return extract
