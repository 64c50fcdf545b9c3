"""Log-match alerts of Cloud Monitoring, evaluated on every log entry as it is written.

Notifications are kept, not sent; Google's cap of 20 a day and policy is not imitated. Policies by PromQL are held and
listed, and never open an alert (`localcloud/promql.py`).
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from typing import Any

from aiohttp import web

from localcloud.google_error import google_error
from localcloud.logmatch import InvalidPolicy, LogMatch, log_match
from localcloud.logs.store import LogEntry, LogStore
from localcloud.paging import page, page_size
from localcloud.promql import check_promql, is_promql
from localcloud.trace.shape import rfc3339

__all__ = ["Alert", "AlertPolicies", "InvalidPolicy", "alert_routes"]

MAX_ALERTS = 1_000
_MAX_TRACES = 20


@dataclass
class Alert:
    """One incident and its notification. Times are seconds since the epoch; `seen` is the last matching entry.

    For the console alone, as Monitoring's own alerts do not have them: `query` is the policy's filter, `insert_id` that
    of the entry that opened it, `trace_ids` those of the first entries that matched.
    """

    name: str
    policy: Mapping[str, str]
    labels: Mapping[str, str]
    resource: Mapping[str, Any]
    document: str
    channels: Sequence[str]
    opened: float
    seen: float
    closes_after: float | None
    query: str = ""
    insert_id: str = ""
    trace_ids: list[str] = field(default_factory=list)

    def note(self, entry: LogEntry, now: float) -> None:
        """Remember an entry that matches, and its trace."""
        self.seen = now
        trace_id = str(entry.get("trace", "")).rpartition("/")[2]
        if trace_id and trace_id not in self.trace_ids and len(self.trace_ids) < _MAX_TRACES:
            self.trace_ids.append(trace_id)

    def is_open(self, now: float) -> bool:
        """Until its policy's autoClose after the last entry that matched."""
        return self.closes_after is None or now < self.seen + self.closes_after

    def json(self, now: float) -> dict[str, Any]:
        """As Monitoring v3 `projects.alerts` returns it."""
        closed = not self.is_open(now)
        shape = {
            "name": self.name,
            "state": "CLOSED" if closed else "OPEN",
            "openTime": _time(self.opened),
            "resource": self.resource,
            "log": {"extractedLabels": self.labels},
            "policy": self.policy,
        }
        return shape | ({"closeTime": _time(self.seen + (self.closes_after or 0))} if closed else {})


@dataclass
class _Policy:
    name: str
    inputs: Mapping[str, Any]
    match: LogMatch | None  # None: by PromQL
    latest: dict[tuple[str, ...], Alert] = field(default_factory=dict)


class AlertPolicies:
    """The policies of one project and the newest alerts they opened. `clock` gives seconds since the epoch."""

    def __init__(self, logs: LogStore, project: str, clock: Callable[[], float] = time.time) -> None:
        self.alerts: deque[Alert] = deque(maxlen=MAX_ALERTS)
        self.clock = clock
        self._project = project
        self._policies: dict[str, _Policy] = {}
        self._sequence = count(1)
        self._version = 0
        logs.subscribe(self._evaluate)

    @property
    def version(self) -> str:
        """Another one as soon as an alert opened, closed or met another entry, or a policy changed."""
        return f"{self._version}-{self.open}"

    @property
    def open(self) -> int:
        """How many alerts are open now."""
        now = self.clock()
        return sum(alert.is_open(now) for alert in list(self.alerts))

    def put(self, name: str, inputs: Mapping[str, Any]) -> str:
        """Create or replace a policy and return its full name; raises InvalidPolicy. Only later entries count."""
        match = None
        if is_promql(inputs):
            check_promql(inputs)
        else:
            match = log_match(inputs)
        policy = _Policy(f"projects/{self._project}/alertPolicies/{name}", inputs, match)
        self._policies[name] = policy
        self._version += 1
        return policy.name

    def delete(self, name: str) -> None:
        """Forget a policy; its alerts stay in the list. An unknown name is no error."""
        self._policies.pop(name, None)
        self._version += 1

    def policies(self) -> list[dict[str, Any]]:
        """The policies in the order of their names, as they were put."""
        ordered = sorted(self._policies.values(), key=lambda policy: policy.name)
        return [{**policy.inputs, "name": policy.name} for policy in ordered]

    def _evaluate(self, entry: LogEntry) -> None:
        for policy in list(self._policies.values()):
            match = policy.match
            if match is not None and policy.inputs.get("enabled", True) and match.matches(entry):
                self._open(policy, match, entry)

    def _open(self, policy: _Policy, match: LogMatch, entry: LogEntry) -> None:
        """Each combination of label values opens an alert of its own, at most one in each rate-limit period."""
        labels, inputs = match.labels(entry), match.inputs
        now, combination = self.clock(), tuple(labels.values())
        self._version += 1
        latest = policy.latest.get(combination)
        if latest is not None and now - latest.opened < match.period:
            latest.note(entry, now)
            return
        alert = Alert(
            name=f"projects/{self._project}/alerts/{next(self._sequence):08d}",
            policy={key: inputs[key] for key in ("displayName", "severity") if inputs.get(key)}
            | {"name": policy.name},
            labels=labels,
            resource=entry.get("resource", {}),
            document=match.document(labels),
            channels=tuple(inputs.get("notificationChannels") or ()),
            opened=now,
            seen=now,
            closes_after=match.closes_after,
            query=match.query,
            insert_id=str(entry.get("insertId", "")),
        )
        alert.note(entry, now)
        policy.latest[combination] = alert
        self.alerts.append(alert)


def alert_routes(policies: AlertPolicies, project: str) -> list[web.RouteDef]:
    """Monitoring v3 `GET /v3/projects/{p}/alerts` (newest first; no filter, no other order) and `/alertPolicies`."""

    async def alerts(request: web.Request) -> web.Response:
        if unsupported := {"filter", "orderBy"} & set(request.query):
            return google_error(
                HTTPStatus.BAD_REQUEST, f"localcloud does not support {sorted(unsupported)} here."
            )
        try:
            found, token = page(
                list(policies.alerts),
                lambda alert: [alert.opened, alert.name],
                size=page_size(request.query.get("pageSize"), 50, 1000),
                token=request.query.get("pageToken"),
                descending=True,
            )
        except ValueError as error:
            return google_error(HTTPStatus.BAD_REQUEST, f"Request contains an invalid argument: {error}.")
        body: dict[str, Any] = {"alerts": [alert.json(policies.clock()) for alert in found]}
        body["totalSize"] = len(policies.alerts)
        return web.json_response(body | ({"nextPageToken": token} if token else {}))

    async def alert_policies(request: web.Request) -> web.Response:
        listed = policies.policies()
        return web.json_response({"alertPolicies": listed, "totalSize": len(listed)})

    path = f"/v3/projects/{project}"
    return [web.get(f"{path}/alerts", alerts), web.get(f"{path}/alertPolicies", alert_policies)]


def _time(seconds: float) -> str:
    return rfc3339(round(seconds * 1e6) * 1000)
