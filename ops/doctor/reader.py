"""One JSON request to one of Google's APIs, or to a local cloud that serves them all. Reads only, with bounded time-outs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
from google.auth.exceptions import GoogleAuthError

from ops.doctor.logins import LOGIN
from ops.safetext import safe

_TIMEOUT_S = (5, 20)
READ = tuple(f"{name}.googleapis.com" for name in ("cloudbilling", "cloudresourcemanager", "serviceusage"))
"""The APIs that tell of the project: whoever enables one needs the others next."""

_GCLOUDS_OWN = "764086051850"
"""The project of gcloud's own client: who pays for a person's requests without a quota project
(github.com/hashicorp/terraform-provider-google/issues/1538)."""


@dataclass(eq=False)
class Unread(Exception):
    """What came instead of an answer. `status` is 0 if nothing did; `reason` is that of Google's ErrorInfo."""

    api: str
    status: int
    message: str
    reason: str = ""
    consumer: str = ""

    def remedy(self, project: str, otherwise: str) -> str:
        """The command that mends what can be told from the refusal alone; `otherwise` for the rest."""
        if self.reason == "SERVICE_DISABLED" and _GCLOUDS_OWN in self.consumer:
            return f"gcloud auth application-default set-quota-project {project}"
        if self.reason == "SERVICE_DISABLED":
            apis = " ".join(READ) if self.api in READ else self.api
            return f"gcloud services enable {apis} --project {project}"
        return LOGIN if self.status == 401 else otherwise


class Reader:
    """Reads about one project. `endpoint` is a local cloud's address; without it each API is at its own."""

    def __init__(self, project: str, session: requests.Session, endpoint: str = "") -> None:
        self.project = project
        self.session = session
        self.endpoint = endpoint.rstrip("/")
        self.path = f"projects/{quote(project, safe=':')}"

    @property
    def is_local(self) -> bool:
        """Whether it reads a local cloud."""
        return bool(self.endpoint)

    def get(self, api: str, path: str, **query: Any) -> dict[str, Any]:
        """`GET https://<api>.googleapis.com/<path>`. Raises `Unread`."""
        return self._json("GET", api, path, params=query)

    def post(self, api: str, path: str, body: Any) -> dict[str, Any]:
        """The same with a body. Raises `Unread`."""
        return self._json("POST", api, path, json=body)

    def _json(self, method: str, api: str, path: str, **send: Any) -> dict[str, Any]:
        host = f"{api}.googleapis.com"
        url = f"{self.endpoint or f'https://{host}'}/{path}"
        try:
            answer = self.session.request(method, url, timeout=_TIMEOUT_S, allow_redirects=False, **send)
        except GoogleAuthError as error:
            raise Unread(host, 401, _line(str(error))) from error
        except requests.RequestException as error:
            where = self.endpoint or host
            raise Unread(host, 0, f"{where} cannot be reached ({type(error).__name__})") from error
        try:
            body = answer.json()
        except ValueError as error:
            raise Unread(host, answer.status_code, f"status {answer.status_code}, and no JSON") from error
        if not isinstance(body, dict):
            raise Unread(host, answer.status_code, f"status {answer.status_code}, and no JSON object")
        if not answer.ok:
            raise _unread(host, answer.status_code, body)
        return body


def _unread(host: str, status: int, body: dict[str, Any]) -> Unread:
    error = body.get("error")
    error = error if isinstance(error, dict) else {}
    details = error.get("details")
    infos = [each for each in details if isinstance(each, dict)] if isinstance(details, list) else []
    info = next((each for each in infos if "reason" in each), {})
    consumer = str((info.get("metadata") or {}).get("consumer", ""))
    message = _line(str(error.get("message") or f"status {status}"))
    return Unread(host, status, message, str(info.get("reason", "")), consumer)


def _line(text: str) -> str:
    return safe(" ".join(text.split())[:300])
