"""One JSON request to one of Google's APIs, or to a local cloud that serves them all. Reads only, with bounded time-outs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
from google.auth.exceptions import GoogleAuthError

from ops.refusal import Refusal, line

_TIMEOUT_S = (5, 20)
READ = tuple(f"{name}.googleapis.com" for name in ("cloudbilling", "cloudresourcemanager", "serviceusage"))
"""The APIs that tell of the project: whoever enables one needs the others next."""


@dataclass(eq=False)
class Unread(Exception):
    """What came instead of an answer. `status` is 0 if nothing did."""

    api: str
    refusal: Refusal

    @property
    def status(self) -> int:
        return self.refusal.status

    @property
    def message(self) -> str:
        return self.refusal.message or f"status {self.status}"

    def remedy(self, project: str, otherwise: str) -> str:
        """The command that mends what can be told from the refusal alone; `otherwise` for the rest."""
        mending = self.refusal.mending(" ".join(READ) if self.api in READ else self.api, project)
        return mending.command if mending else otherwise


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
            raise Unread(host, Refusal(401, line(str(error)))) from error
        except requests.RequestException as error:
            where = self.endpoint or host
            raise Unread(host, Refusal(0, f"{where} cannot be reached ({type(error).__name__})")) from error
        try:
            body = answer.json()
        except ValueError as error:
            raise Unread(
                host, Refusal(answer.status_code, f"status {answer.status_code}, and no JSON")
            ) from error
        if not isinstance(body, dict):
            raise Unread(
                host, Refusal(answer.status_code, f"status {answer.status_code}, and no JSON object")
            )
        if not answer.ok:
            raise Unread(host, Refusal.of(answer.status_code, answer.content))
        return body
