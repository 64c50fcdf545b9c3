"""The list of traces: which of them a filter wants, one page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from multidict import MultiMapping

from localcloud.console.summary import Summary

PAGE = 200


@dataclass(frozen=True)
class TraceFilter:
    """What is wanted; empty fields want everything. `status`: ok, error (any span failed), a class such as 5xx, or a code."""

    services: frozenset[str] = frozenset()
    status: str = ""
    min_ns: float = 0.0
    kept: str = ""
    text: str = ""

    @classmethod
    def read(cls, query: MultiMapping[str]) -> TraceFilter:
        """From the query of an address. Raises ValueError with one sentence."""
        status, least = query.get("status", "").strip().lower(), query.get("min_ms", "").strip() or "0"
        known = status in ("", "ok", "error") or (
            len(status) == 3 and status[0] in "12345" and (status[1:] == "xx" or status.isdigit())
        )
        if not known:
            raise ValueError(
                f"status has value '{status}'; it is ok, error, a class such as 5xx, or a code such as 504."
            )
        try:
            min_ns = float(least) * 1e6
        except ValueError:
            raise ValueError(f"min_ms has value '{least}'; it is a number of milliseconds.") from None
        services = frozenset(filter(None, query.getall("service", [])))
        return cls(services, status, min_ns, query.get("kept", ""), query.get("text", "").strip().lower())

    def wants(self, trace: Summary) -> bool:
        """Whether the list shows the trace."""
        return (
            trace.duration_ns >= self.min_ns
            and (not self.services or not self.services.isdisjoint(trace.told.services))
            and (not self.status or self._has_status(trace))
            and (not self.kept or self.kept in trace.kept)
            and (not self.text or self.text in trace.text)
        )

    def _has_status(self, trace: Summary) -> bool:
        told = trace.told
        if self.status == "error":
            return told.errors > 0 or told.tone == "bad"
        if self.status == "ok":
            return told.tone in ("ok", "")
        if self.status.endswith("xx"):
            return told.status[:1] == self.status[0]
        return told.status == self.status


def listing(newest: Sequence[Summary], wanted: TraceFilter, token: str = "") -> Mapping[str, Any]:
    """One page: how many there are, what there is to choose from, and `next`, the token of the page after (or None)."""
    matching = [trace for trace in newest if wanted.wants(trace)]
    begun = [trace for trace in matching if not token or _key(trace) < token]
    shown = begun[:PAGE]
    return {
        "in_store": len(newest),
        "matching": len(matching),
        "services": sorted({name for trace in newest for name in trace.told.services}),
        "kept": sorted({reason for trace in newest for reason in trace.kept}),
        "traces": [trace.json() for trace in shown],
        "next": _key(shown[-1]) if len(begun) > len(shown) else None,
    }


def _key(trace: Summary) -> str:
    """Texts in the order of the list: a page goes on where the last one ended, whatever came meanwhile."""
    return f"{trace.start_ns:020d}-{trace.trace_id}"
