"""Reads Cloud Trace, Logging, Cloud Storage and Monitoring, from Google or from a local cloud of the same shapes.

Writes nothing. Whatever an operator can mend is an `OperatorError` with the remedy.
"""

from collections.abc import Iterator
from typing import Any, Self
from urllib.parse import quote, urlsplit

import requests
from google.auth.exceptions import GoogleAuthError, TransportError

from ops.credentials import LOGIN, default_project, session_for
from ops.errors import OperatorError
from ops.refusal import Refusal, line
from traces.span import Trace, span_from_json

_TIMEOUT_S = (5, 30)
_MAX_PAGES = 40
"""Logging allows 60 reads a minute and project (cloud.google.com/logging/quotas)."""


class TraceNotFound(OperatorError):
    """The project has no span of the trace, or not yet."""


class Unavailable(OperatorError):
    """Not answered this time: 429, 5xx, or no connection. The same request may be answered when it is sent again."""


class Google:
    """The four read APIs of one project.

    Without a `session` one is made: with application default credentials if every address is Google's, else a plain
    one that ignores proxies, so that no token ever goes to another host.
    """

    def __init__(
        self,
        project: str,
        trace_url: str = "https://cloudtrace.googleapis.com",
        logging_url: str = "https://logging.googleapis.com",
        storage_url: str = "https://storage.googleapis.com",
        monitoring_url: str = "https://monitoring.googleapis.com",
        session: requests.Session | None = None,
    ) -> None:
        self.project = project
        self._trace, self._logging = trace_url.rstrip("/"), logging_url.rstrip("/")
        self._storage, self._monitoring = storage_url.rstrip("/"), monitoring_url.rstrip("/")
        self._session = session or session_for((self._trace, self._logging, self._storage, self._monitoring))

    @classmethod
    def local(cls, endpoint: str, project: str | None = None) -> Self:
        """A local cloud that serves every API at `endpoint`; its /blueprint.json names the project."""
        endpoint = address(endpoint)
        reader = cls(project or "", endpoint, endpoint, endpoint, endpoint)
        if not project:
            reader.project = str(reader.about().get("project", ""))
        return reader

    @classmethod
    def default(cls, project: str | None = None) -> Self:
        """A real project: the given one, or that of the application default credentials."""
        project = project or default_project()
        if not project:
            raise OperatorError(
                "No project is known: give --project, or run `gcloud config set project PROJECT`."
            )
        return cls(project)

    def trace(self, trace_id: str) -> Trace:
        """One trace (Cloud Trace v1, projects.traces.get). Raises `TraceNotFound`."""
        url = f"{self._trace}/v1/projects/{quote(self.project, safe='')}/traces/{trace_id}"
        try:
            found = self._json(
                "GET", url, "traces", role="roles/cloudtrace.user", service="cloudtrace.googleapis.com"
            )
        except Missing:
            found = {}
        if not found.get("spans"):
            raise TraceNotFound(
                f"Trace {trace_id} is not in project {self.project}: spans arrive some seconds after the request, "
                "are kept 30 days, and are missing if the trace was not sampled; check the id and --project."
            )
        try:
            return Trace(trace_id, self.project, tuple(span_from_json(span) for span in found["spans"]))
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise OperatorError(
                f"Trace {trace_id} has a span that cannot be read ({error!r}); open it in the console."
            ) from error

    def entries(self, filter: str) -> list[dict[str, Any]]:
        """Log entries that match, oldest first (Logging v2, entries:list). Raises `OperatorError` for too many of them."""
        return list(self._entries(filter, "timestamp asc"))

    def newest(self, filter: str) -> Iterator[dict[str, Any]]:
        """Log entries that match, newest first; read page by page, as they are taken."""
        return self._entries(filter, "timestamp desc")

    def _entries(self, filter: str, order: str) -> Iterator[dict[str, Any]]:
        body = {
            "resourceNames": [f"projects/{self.project}"],
            "filter": filter,
            "orderBy": order,
            "pageSize": 1000,
        }
        access = {"role": "roles/logging.viewer", "service": "logging.googleapis.com"}
        url = f"{self._logging}/v2/entries:list"
        yield from self._pages("POST", url, "log entries", "entries", body, **access)

    def alerts(self) -> list[dict[str, Any]]:
        """Alerts that fired (Monitoring v3, projects.alerts.list)."""
        url = f"{self._monitoring}/v3/projects/{quote(self.project, safe='')}/alerts"
        access = {"role": "roles/monitoring.viewer", "service": "monitoring.googleapis.com"}
        return list(self._pages("GET", url, "alerts", "alerts", {}, **access))

    def alert_policies(self) -> set[str]:
        """Resource names of the alert policies (Monitoring v3, projects.alertPolicies.list)."""
        url = f"{self._monitoring}/v3/projects/{quote(self.project, safe='')}/alertPolicies"
        access = {"role": "roles/monitoring.viewer", "service": "monitoring.googleapis.com"}
        found = self._pages("GET", url, "alert policies", "alertPolicies", {}, **access)
        return {str(policy.get("name", "")) for policy in found}

    @property
    def console(self) -> str:
        """Where a local cloud has its page."""
        return self._trace

    def about(self) -> dict[str, Any]:
        """What a local cloud says of itself (/blueprint.json); no API of Google's."""
        return self._json("GET", f"{self._trace}/blueprint.json", "the local cloud")

    def owner_token(self, audience: str) -> str:
        """An ID token of a local cloud's owner, or "" from one that has none; on Google see `ops/verify/identity.py`."""
        url = f"{self._trace}/blueprint/id-token?audience={quote(audience, safe='')}"
        try:
            return str(self._json("GET", url, "ID token").get("token", ""))
        except Missing:
            return ""

    def bucket_location(self, name: str) -> str | None:
        """Where a bucket is, in lower case as Cloud Run writes regions; None if it cannot be read."""
        try:
            return self.location(name) or None
        except OperatorError:
            return None

    def location(self, bucket: str) -> str:
        """The same (Cloud Storage JSON, buckets.get). Raises `OperatorError` if it cannot be read."""
        url = f"{self._storage}/storage/v1/b/{quote(bucket, safe='')}"
        found = self._json(
            "GET",
            url,
            f"bucket {bucket}",
            role="roles/storage.bucketViewer",
            service="storage.googleapis.com",
        )
        return str(found.get("location") or "").lower()

    def _pages(
        self, method: str, url: str, what: str, key: str, fields: dict[str, Any], **access: str
    ) -> Iterator[dict[str, Any]]:
        place = "json" if method == "POST" else "params"
        for _ in range(_MAX_PAGES):
            page = self._json(method, url, what, {place: fields}, **access)
            yield from page.get(key) or ()
            if not page.get("nextPageToken"):
                return
            fields = fields | {"pageToken": page["nextPageToken"]}
        raise OperatorError(
            f"The search for {what} was not at its end after {_MAX_PAGES} pages, and was given up: narrow it, as by --service, "
            "or look in the console."
        )

    def _json(
        self,
        method: str,
        url: str,
        what: str,
        send: dict[str, Any] | None = None,
        role: str = "",
        service: str = "",
    ) -> dict[str, Any]:
        try:
            answer = self._session.request(
                method, url, timeout=_TIMEOUT_S, allow_redirects=False, **(send or {})
            )
        except TransportError as error:
            raise Unavailable(f"Google gives no token now ({line(str(error))}): try again.") from error
        except GoogleAuthError as error:
            raise OperatorError(
                f"Google's credentials do not work ({line(str(error))}): run `{LOGIN}`."
            ) from error
        except requests.RequestException as error:
            raise Unavailable(
                f"{urlsplit(url).netloc} cannot be reached ({type(error).__name__}): is the address right, and is it running?"
            ) from error
        if not answer.ok:
            raise self._refused(answer, what, role, service)
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise OperatorError(
                f"{urlsplit(url).netloc} did not answer with JSON for {what}: is it the right address?"
            )
        return body

    def _refused(self, answer: requests.Response, what: str, role: str, service: str) -> OperatorError:
        refusal = Refusal.of(answer.status_code, answer.content)
        if refusal.status == 404:
            return Missing(f"There are no {what} at {answer.url}: check the project {self.project!r}.")
        refused = f"Reading {what} of project {self.project!r} is refused ({refusal.status})"
        if mending := refusal.mending(service, self.project):
            return OperatorError(f"{refused}, as {mending.why}: run `{mending.command}`.")
        if refusal.status == 403:
            return OperatorError(f"{refused}: grant yourself {role or 'a viewer role'} there.")
        kind = Unavailable if refusal.passing else OperatorError
        return kind(
            f"Reading {what} failed with {refusal.status}: {refusal.message or 'no reason was given'}; try again."
        )


class Missing(OperatorError):
    """404."""


def address(endpoint: str) -> str:
    """A local cloud's, as given. Raises `OperatorError` for one that no request can be sent to."""
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise OperatorError(
            f"--endpoint has value {endpoint!r}; give an address with http:// before it, as in http://127.0.0.1:8080."
        )
    return endpoint
