"""Who calls whom: the calls of single traces, added up to nodes and edges. Drawing them is the page's part."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal
from urllib.parse import urlsplit

from traces.safetext import safe_name
from traces.span import Span

Kind = Literal["service", "bucket", "host"]
CLIENTS = ""
"""The caller of an entry: whoever is outside."""


@dataclass(frozen=True)
class Call:
    """One call; for an entry `caller` is CLIENTS."""

    caller: str
    callee: str
    kind: Kind
    duration_ns: int
    failed: bool


def calls_of(spans: Sequence[Span]) -> list[Call]:
    """The calls of one trace. Storage work counts once, by its outermost span; the platform's spans are passed over."""
    known = {span.span_id: span for span in spans}
    callers = (_caller(span, known) for span in spans if span.kind == "SERVER")
    answered = {caller.span_id for caller in callers if caller is not None}
    calls = []
    for span in spans:
        if span.is_platform or span.is_start:
            continue
        parent = known.get(span.parent_id)
        if span.kind == "SERVER":
            calls.append(_served(span, _caller(span, known)))
        elif span.bucket and not (parent and parent.bucket == span.bucket):
            calls.append(Call(span.service, safe_name(span.bucket), "bucket", span.duration_ns, span.failed))
        elif span.kind == "CLIENT" and not span.bucket and span.span_id not in answered:
            calls.append(Call(span.service, _outside(span), "host", span.duration_ns, span.failed))
    return calls


def _caller(span: Span, known: Mapping[str, Span]) -> Span | None:
    """The call that a server span answers, through the platform's span where there is one."""
    parent = known.get(span.parent_id)
    if parent is not None and parent.is_platform:
        parent = known.get(parent.parent_id)
    return parent if parent is not None and parent.kind == "CLIENT" else None


def _served(span: Span, caller: Span | None) -> Call:
    if caller is None:
        return Call(CLIENTS, span.service, "service", span.duration_ns, span.failed)
    return Call(caller.service, span.service, "service", caller.duration_ns, caller.failed or span.failed)


def _outside(span: Span) -> str:
    if urlsplit(span.url).path.startswith("/computeMetadata/"):
        return "metadata server"
    return safe_name(urlsplit(span.url).netloc.rpartition("@")[2] or span.host)


def service_map(
    traces: Iterable[Sequence[Call]],
    lately: Iterable[Sequence[Call]],
    minutes: int,
    addresses: Mapping[str, str],
) -> dict[str, Any]:
    """Nodes and edges of `traces`; rates are those of the traces of the last `minutes`.

    The time between the first and the last trace tells no rate: two of them make 12,000 requests a minute in 10 ms.
    `addresses`: host and port -> the service that listens there.
    """
    edges: dict[tuple[str, str], list[Call]] = defaultdict(list)
    kinds: dict[str, Kind] = {}
    for call in (call for calls in traces for call in calls):
        callee = addresses.get(call.callee, call.callee)
        edges[call.caller, callee].append(call)
        kinds.setdefault(callee, "service" if callee != call.callee else call.kind)
        if call.caller != CLIENTS:
            kinds.setdefault(call.caller, "service")
    recent = Counter(addresses.get(call.callee, call.callee) for calls in lately for call in calls)
    return {
        "rate_minutes": minutes,
        "nodes": [_node(name, kind, edges, recent[name] / minutes) for name, kind in sorted(kinds.items())],
        "edges": [_edge(*ends, calls) for ends, calls in sorted(edges.items())],
    }


def _node(
    name: str, kind: Kind, edges: Mapping[tuple[str, str], Sequence[Call]], per_minute: float
) -> dict[str, Any]:
    received = [call for (_, callee), calls in edges.items() if callee == name for call in calls]
    errors = sum(call.failed for call in received)
    return {
        "name": name,
        "kind": kind,
        "requests": len(received),
        "per_minute": per_minute or None,
        "errors": errors,
        "error_share": errors / len(received) if received else 0.0,
    }


def _edge(caller: str, callee: str, calls: Sequence[Call]) -> dict[str, Any]:
    p50 = median(call.duration_ns for call in calls) / 1e6
    return {
        "from": caller,
        "to": callee,
        "calls": len(calls),
        "errors": sum(call.failed for call in calls),
        "p50_ms": p50,
    }
