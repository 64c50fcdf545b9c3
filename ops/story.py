"""The demo's story in its steps: healthy, broken, explained, mended. Prints as it goes and returns the figures."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from ops import stackfile
from ops.arrival import wait_for_trace
from ops.client import Answer, Client
from ops.documents import Document
from ops.environment import Deployed, Environment
from ops.errors import OperatorError
from ops.explain import log_filter
from ops.findings import Findings
from ops.stackfile import Config
from ops.summary import Summary, culprit_record, late_success, summary
from ops.waterfall import Waterfall
from traces.analysis import Analysis, analyse, buckets

FAR = {
    "location": "australia-southeast1",
    "cross_region_reason": "re-enacts the incident: a bucket on another continent",
    "force_destroy": True,
    "soft_delete_days": 0,
}
_ARRIVAL_S = 60.0


class Story:
    """One run of the demo over an environment that is up."""

    def __init__(
        self, environment: Environment, config: Config, documents: list[Document], console: Console
    ) -> None:
        self._environment, self._config = environment, config
        self._documents, self._console = documents, console
        self._begun = time.monotonic()

    def run(self) -> dict[str, Any]:
        """The whole story; the result is the contract of `demo --json`."""
        self._say("engine", self._environment.engine_text)
        self._deploy("1  Deploy", self._config, "the stack `local`")
        figures: dict[str, Any] = {"engine": self._environment.engine.name, "healthy": self._healthy()}
        broken = stackfile.changed(self._config, "buckets", "overseas", value=FAR)
        broken = stackfile.changed(broken, "services", "archive", "buckets", value=["overseas"])
        self._deploy("3  Break", broken, "archive stores in a bucket in australia-southeast1")
        figures["incident"] = self._incident()
        # The far bucket stays until somebody has moved what is in it.
        mended = stackfile.changed(broken, "services", "archive", "buckets", value=["documents"])
        self._deploy("5  Mend", mended, "archive stores in its own region again")
        figures["fixed"] = self._fixed()
        return figures

    def _healthy(self) -> Summary:
        *others, chosen = reversed(self._documents)
        for document in others:
            answer = self._client.send(document)
            self._say(document.name, self._outcome(answer))
        answer = self._client.send(chosen)
        self._heading("2  Send", f"{chosen.name}, {len(chosen.content):,} bytes: {self._outcome(answer)}")
        analysis, result = self._arrived(answer)
        self._console.print(Waterfall(analysis))
        if answer.status == 201:
            same = self._client.fetch(answer.body["id"]) == chosen.content
            self._say("read back", "identical" if same else "DIFFERENT from what was sent")
        return result

    def _incident(self) -> dict[str, Any]:
        since = datetime.now(UTC).isoformat()
        chosen = self._documents[0]
        answer = self._client.send(chosen)
        self._heading("4  Explain", f"{chosen.name} again: {self._outcome(answer)}")
        analysis, result = self._arrived(answer)
        alerts = [
            alert for alert in self._environment.google.alerts() if str(alert["openTime"]) >= since[:19]
        ]
        names = list(dict.fromkeys(str(alert["policy"]["displayName"]) for alert in alerts))
        self._say("alerts", ", ".join(names) or "none")
        self._console.print(Waterfall(analysis))
        self._console.print()
        self._console.print(Findings(analysis))
        self._retry(chosen)
        verdict = analysis.verdict
        return {
            **result,
            "late_success": late_success(analysis),
            "alerts": names,
            "culprit": culprit_record(verdict) if verdict else None,
        }

    def _retry(self, document: Document) -> None:
        """What makes such an incident look sporadic: the write went on, and the connection is warm."""
        answer = self._client.send(document)
        why = ": it had been stored meanwhile, and the connection is warm" if answer.status == 201 else ""
        self._say("a retry", f"{self._outcome(answer)}{why}")

    def _fixed(self) -> Summary:
        answer = self._client.send(self._documents[0])
        _, result = self._arrived(answer)
        self._heading(
            "6  Mended",
            f"{self._documents[0].name}: {self._outcome(answer)}, {result['spans']} spans, {result['orphan_spans']} orphans",
        )
        return result

    def _deploy(self, step: str, config: Config, what: str) -> None:
        begun = time.monotonic()
        with self._waiting(f"{step}: {what}"):
            deployed: Deployed = self._environment.up(config)
        self._client = Client(deployed.urls["gateway"])
        self._heading(step, f"{what}: {time.monotonic() - begun:.1f} s")

    def _arrived(self, answer: Answer) -> tuple[Analysis, Summary]:
        google = self._environment.google
        with self._waiting(f"waiting for trace {answer.trace_id}"):
            arrival = wait_for_trace(google, answer.trace_id, settled=1.2, timeout=_ARRIVAL_S)
        if arrival.trace is None:
            raise OperatorError(
                f"Trace {answer.trace_id} did not arrive within {_ARRIVAL_S:g} s: {arrival.missing}."
            )
        trace = arrival.trace
        if not arrival.complete:
            self._say("incomplete", arrival.missing)
        entries = [*google.entries(log_filter(trace))]
        analysis = analyse(trace, entries, {name: google.bucket_location(name) for name in buckets(trace)})
        return analysis, summary(trace, entries, status=answer.status, latency_ms=answer.latency_ms)

    @contextlib.contextmanager
    def _waiting(self, what: str) -> Iterator[None]:
        with self._console.status(Text(what)) if self._console.is_terminal else contextlib.nullcontext():
            yield

    def _outcome(self, answer: Answer) -> str:
        return f"{answer.status} after {answer.latency_ms:,.0f} ms"

    def _heading(self, step: str, text: str) -> None:
        at = f"{time.monotonic() - self._begun:5.1f} s"
        self._console.print(Text.assemble((f"\n{at}  ", "dim"), (f"{step:<12}", "bold"), text))

    def _say(self, what: str, text: str) -> None:
        self._console.print(Text.assemble(" " * 9, (f"{what:<10}  ", "dim"), text))
